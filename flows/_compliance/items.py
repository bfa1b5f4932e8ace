"""What answers for each item of the checklist: its checks' outcomes, a person's tick, or nothing yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from checks.items import Checklist, Item
from flows._render.words import counted
from model.report.outcome import Outcome, Status
from model.site.settings import SignedOff
from model.site.site import Site

CONTROLLER = "controller"
# Of several checks the worst says what the item is; one that is not due yet counts less than one that is good,
# and leaves the item open: the coverage does not count it as proven.
_WORST = (
    Status.DRIFT,
    Status.FAILED,
    Status.MISSING,
    Status.UNPROVEN,
    Status.WAIVED,
    Status.CHANGED,
    Status.OK,
    Status.NOT_RUN,
)


def others(site: Site, checklist: Checklist, today: date) -> tuple[Outcome, ...]:
    """Return outcomes for what no check answers for: ticks of persons, components still to come."""
    ticks = {tick.item: tick for tick in site.settings.signed_off}
    manual = [item for item in checklist.items if item.kind == "manual"]
    return (
        *(_ticked(item, ticks.get(item.id), today) for item in manual),
        *_strange(ticks.values(), {item.id for item in manual}),
        *_later(checklist.items),
    )


def _ticked(item: Item, tick: SignedOff | None, today: date) -> Outcome:
    if tick is None:
        step = f"under `signed_off` in site.yaml: {{item: {item.id}, who: ..., when: ..., evidence: ...}}"
        return Outcome(
            CONTROLLER, item.id, Status.NOT_RUN, f"{item.title}: not ticked by the {item.who} yet", next=step
        )
    ticked = f"ticked by {tick.who} on {tick.when}: {tick.evidence}"
    evidence = tick.model_dump(mode="json")
    if tick.expires is not None and tick.expires < today:
        message = f"{item.title}: the tick of {tick.who} ended on {tick.expires}"
        return Outcome(
            CONTROLLER,
            item.id,
            Status.DRIFT,
            message,
            next=f"have it done and ticked again by the {item.who}",
            evidence=evidence,
        )
    if tick.when > today:
        message = f"{item.title}: ticked for {tick.when}, which is still to come"
        return Outcome(
            CONTROLLER, item.id, Status.DRIFT, message, next="correct `when` in site.yaml", evidence=evidence
        )
    return Outcome(CONTROLLER, item.id, Status.OK, ticked, next="", evidence=evidence)


def _strange(ticks: Iterable[SignedOff], known: set[str]) -> Iterable[Outcome]:
    for tick in ticks:
        if tick.item not in known:
            message = f"{tick.who} ticked {tick.item}, and that is no item that a person ticks"
            step = "`python -m flows.compliance --list` shows the items; what a check finds can only be waived"
            yield Outcome(CONTROLLER, f"signed-off/{tick.item}", Status.DRIFT, message, next=step)


def _later(items: Iterable[Item]) -> Iterable[Outcome]:
    waiting: dict[str, list[str]] = {}
    for item in items:
        if item.kind == "later":
            waiting.setdefault(item.later, []).append(item.id)
    for component, ids in waiting.items():
        yield Outcome(
            CONTROLLER,
            f"later/{component}",
            Status.NOT_RUN,
            f"{counted(len(ids), 'item')} {'comes' if len(ids) == 1 else 'come'} with {component}",
            next="",
            evidence={"items": ids},
        )


def states(checklist: Checklist, outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
    """
    Return every item with its state: the worst of its checks' outcomes on any host, a person's tick, or `not_run`.
    """
    by_subject: dict[str, set[Status]] = {}
    for outcome in outcomes:
        by_subject.setdefault(outcome.subject, set()).add(outcome.status)
    return [item.to_json() | {"state": _state(item, by_subject), "where": item.where} for item in checklist.items]


def _state(item: Item, by_subject: Mapping[str, set[Status]]) -> str:
    subjects = item.checks if item.kind == "automated" else (item.id,)
    seen = {status for subject in subjects for status in by_subject.get(subject, {Status.NOT_RUN})}
    return next((status.value for status in _WORST if status in seen), Status.NOT_RUN.value)
