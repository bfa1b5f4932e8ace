"""What came of each component, and its part of the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flows._render.words import counted
from flows._run.context import Context, FlowResult
from flows._run.publish import CONTROLLER
from model.report.outcome import GOOD, Outcome, Status, warn
from model.rollout.changes import WRITES, ChangeKind, ObjectChange
from model.rollout.veil import Veil
from model.site.components import Component
from remote.gates.gate import GateResult
from tasks.rollout.waiting import Unready

_STOPPING = {ChangeKind.FOREIGN: Status.DRIFT, ChangeKind.REFUSED: Status.DRIFT, ChangeKind.REJECTED: Status.FAILED}
_WORDS = {
    ChangeKind.CREATED: ("would be created", "created"),
    ChangeKind.CHANGED: ("would be changed", "changed"),
    ChangeKind.REPLACED: ("would be replaced", "replaced"),
    ChangeKind.PRUNED: ("would be pruned: it is rendered no longer", "pruned: it is rendered no longer"),
}
_RUN = "run without --dry-run"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRun:
    """One gate of a component, and the seconds it took; `proven` where an earlier run's proof stands for it."""

    name: str
    component: str
    result: GateResult
    seconds: float = 0.0
    proven: bool = False

    def to_json(self) -> dict[str, object]:
        """Return the report's entry."""
        result = self.result
        return {
            "name": self.name,
            "component": self.component,
            "status": result.status.value,
            "seconds": round(self.seconds, 3),
            "figures": dict(result.figures),
            "why": result.why,
            "findings": list(result.findings),
        }

    def outcome(self) -> Outcome:
        """Return what came of it for the exit code."""
        result = self.result
        # What was found says more than its first sentence alone.
        words = "; ".join(result.findings) if result.status == Status.DRIFT and result.findings else result.why
        step = result.next_step or ("" if result.status in (Status.OK, Status.NOT_RUN) else "look at what it names")
        subject = f"{self.component}/gate/{self.name}"
        return Outcome(
            CONTROLLER,
            subject,
            result.status,
            words,
            next=step,
            evidence=dict(result.figures) or None,
            seconds=round(self.seconds, 3),
        )


@dataclass(kw_only=True)
class ComponentResult:
    """One component as the run goes on; `why` says in a sentence why it is not good."""

    component: Component
    planned: Sequence[ObjectChange] = ()
    done: list[ObjectChange] = field(default_factory=list)
    failures: list[Outcome] = field(default_factory=list)
    gates: list[GateRun] = field(default_factory=list)
    status: Status = Status.OK
    why: str = ""
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    @property
    def writes(self) -> bool:
        """Whether something of it was changed, or is about to be."""
        return bool(self.done) or any(change.change in WRITES for change in self.planned)

    @property
    def failed(self) -> bool:
        """Whether nothing may stand on it."""
        return self.status in (Status.FAILED, Status.NOT_RUN, Status.MISSING, Status.UNPROVEN)

    def counts(self, *, dry_run: bool) -> Counter[ChangeKind]:
        """Count what was done, or would be, by kind."""
        return Counter(change.change for change in (self.planned if dry_run else self.done))

    def line(self, *, dry_run: bool) -> str:
        """Return the component as one line for a person."""
        counts = self.counts(dry_run=dry_run)
        parts = [f"{counts[kind]} {kind}" for kind in _WORDS if counts[kind]]
        stopped = [f"{counts[kind]} {kind}" for kind in _STOPPING if counts[kind]]
        words = ", ".join([*parts, *stopped]) or ("as declared" if not self.why else "")
        tail = f"; {self.why}" if self.why else ""
        return f"{self.name}: {counted(len(self.planned), 'object')}: {words}{tail} ({self.seconds:.1f} s)".replace(
            ": ;", ":"
        )

    def to_json(self, *, dry_run: bool) -> dict[str, object]:
        """Return the report's entry."""
        counts = self.counts(dry_run=dry_run)
        kinds = {str(kind): counts[kind] for kind in _WORDS}
        return {
            "name": self.name,
            "phase": self.component.phase,
            "status": self.status.value,
            "objects": len(self.planned),
            **kinds,
            "seconds": round(self.seconds, 3),
            "why": self.why,
        }

    def outcomes(self, *, dry_run: bool) -> Iterator[Outcome]:
        """Return an outcome an object, those of what failed and of the gates, and its own where it was not begun."""
        done = {change.key: change for change in self.done}
        failed = {failure.subject for failure in self.failures}
        for planned in self.planned:
            if planned.key not in done and planned.subject in failed:
                continue
            yield _outcome(planned, done.get(planned.key), dry_run=dry_run, reached=self.status is not Status.NOT_RUN)
        yield from self.failures
        yield from (gate.outcome() for gate in self.gates)
        if self.status is Status.NOT_RUN:
            yield Outcome(CONTROLLER, self.name, Status.NOT_RUN, self.why)


def result_of(context: Context, results: Iterable[ComponentResult], *, dry_run: bool, forced: int = GOOD) -> FlowResult:
    """Return what came of a run: outcomes for the exit code, and the report's components and gates."""
    found = list(results)
    extra = {
        "components": [result.to_json(dry_run=context.options.dry_run) for result in found],
        "gates": [gate.to_json() for result in found for gate in result.gates],
    }
    outcomes = [outcome for result in found for outcome in result.outcomes(dry_run=dry_run)]
    return FlowResult(tuple(outcomes), hosts=(), forced=forced, extra=extra)


def _outcome(planned: ObjectChange, done: ObjectChange | None, *, dry_run: bool, reached: bool) -> Outcome:
    change = done or planned
    evidence = "\n".join(change.lines) or None
    notes = "; ".join(change.notes)
    if planned.change in (ChangeKind.UNCHANGED, ChangeKind.KEPT):
        if notes:
            return warn(CONTROLLER, planned.subject, f"as declared; {notes}")
        return Outcome(CONTROLLER, planned.subject, Status.OK, "as declared")
    if planned.change in _STOPPING:
        status = _STOPPING[planned.change]
        return Outcome(CONTROLLER, planned.subject, status, notes, next=planned.next_step, evidence=evidence)
    would, was = _WORDS[change.change]
    if done is not None:
        return Outcome(CONTROLLER, planned.subject, Status.CHANGED, _with(was, notes), evidence=evidence)
    if dry_run:
        return Outcome(CONTROLLER, planned.subject, Status.DRIFT, _with(would, notes), next=_RUN, evidence=evidence)
    words = "was not reached" if reached else "not begun"
    return Outcome(CONTROLLER, planned.subject, Status.NOT_RUN, f"{would}: {words}")


def _with(words: str, notes: str) -> str:
    return f"{words}; {notes}" if notes else words


def unready_outcome(component: str, entry: Unready, veil: Veil) -> Outcome:
    """Return the outcome of an object that did not become ready: reason, last event, last lines of its container."""
    first = entry.troubles[0] if entry.troubles else None
    words = [f"not ready after {entry.seconds:.0f} s: {entry.why}"]
    words += [trouble.line for trouble in entry.troubles[:3]]
    # After `POD/NAME` and the reason, or the reason alone, comes the message: it may have been said as a trouble.
    for title, said, heads in (("container", entry.container, 2), ("last event", entry.event, 1)):
        if unsaid := _unsaid(said, heads, "; ".join(words)):
            words.append(f"{title} {unsaid}")
    evidence: Mapping[str, object] = {
        "troubles": [veil(trouble.line) for trouble in entry.troubles],
        "container": veil(entry.container),
        "event": veil(entry.event),
        "log": [veil(line) for line in entry.log],
    }
    if entry.log:
        words.append(f"last lines: {' | '.join(entry.log[-3:])}")
    described = "`kubectl describe` it: its conditions and events say what it waits for"
    step = entry.next_step or (first.next_step if first else described)
    subject = entry.key.subject(component)
    return Outcome(
        CONTROLLER,
        subject,
        Status.FAILED,
        veil("; ".join(words)),
        next=step,
        evidence=evidence,
        seconds=round(entry.seconds, 3),
    )


def _unsaid(text: str, heads: int, told: str) -> str:
    """Return what so many heads and a message (`a: b: message`) say beyond what was told: all, the heads, or none."""
    whole, before = " ".join(text.split()), " ".join(told.split())
    *words, message = whole.split(": ", heads)
    if whole in before:
        return ""
    return ": ".join(words) if len(words) == heads and message in before else whole
