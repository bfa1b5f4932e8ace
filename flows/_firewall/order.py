"""The order in which hosts are changed: first those that others are reached through, each alone, then the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows._firewall.change import WORKERS, FirewallSessions, PreparedHost, outcomes_of, to_look
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from flows._run.context import Context
from model.report.outcome import Outcome, Status
from model.ufw.gateways import gateways, in_order, way_to
from model.ufw.review import SUBJECT

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.inventory import Host

_CLOSE_SECONDS = 5.0
# A host, what was found there, and one that is reached through it, None for none.
Change = Callable[["Host", PreparedHost, "Host | None"], tuple[Outcome, ...]]


@dataclass(frozen=True, kw_only=True)
class FirewallWork:
    """How hosts are looked at and changed; `limit` returns the seconds in which so many are; `kept` None: a dry run."""

    nr: Nornir
    context: Context
    kept: FirewallSessions | None
    look: Callable[[Host], PreparedHost]
    change: Change
    limit: Callable[[int], float]


def change_in_order(work: FirewallWork, ready: Mapping[str, PreparedHost]) -> tuple[Outcome, ...]:
    """
    Change hosts that were looked at, and return what came of them.

    A firewall that starts does not know the connections that are there: those through a host would end in the middle of
    somebody's change. So they are closed before it is changed and made anew afterwards, and what lies behind is looked
    at again.
    """
    through = gateways({name: prepared.facts for name, prepared in ready.items()})
    left, outcomes = dict(ready), list[Outcome]()
    for gateway in in_order(through):
        behind = [name for name in left if gateway in way_to(name, through)]
        if work.kept is None or gateway not in left or not left[gateway].changes:
            continue
        _leave(work, work.kept, behind)
        nearest = [work.nr.inventory.hosts[name] for name in behind if through[name] == gateway]
        came = _change(work, {gateway: left.pop(gateway)}, nearest[0] if nearest else None)
        outcomes += came
        again, lost = _look_again(work, behind, gateway, came)
        left = {name: again.get(name, prepared) for name, prepared in left.items() if name not in lost}
        outcomes += lost.values()
    return (*outcomes, *_change(work, left, None))


def _leave(work: FirewallWork, kept: FirewallSessions, names: Sequence[str]) -> None:
    """End sessions and close connections."""
    kept.leave(names)
    run_on_hosts(work.nr, lambda host: host.close_connections(), names=names, deadline=_CLOSE_SECONDS)


def _change(work: FirewallWork, ready: Mapping[str, PreparedHost], behind: Host | None) -> tuple[Outcome, ...]:
    with work.context.awaiting(tuple(ready), "applying", outcomes_of) as watch:
        done = run_on_hosts(
            work.nr,
            lambda host: work.change(host, ready[host.name], behind),
            names=tuple(ready),
            workers=WORKERS,
            watch=watch,
            deadline=work.limit(len(ready)),
        )
    return tuple(outcome for answer in done.values() for outcome in outcomes_of(answer))


def _look_again(
    work: FirewallWork, names: Sequence[str], gateway: str, came: Sequence[Outcome]
) -> tuple[Mapping[str, PreparedHost], Mapping[str, Outcome]]:
    """Connect anew through a host that was changed; return what is found behind it, and the hosts that are lost."""
    with work.context.awaiting(names, f"connecting anew through {gateway}") as watch:
        looked = run_on_hosts(
            work.nr, work.look, names=names, workers=WORKERS, watch=watch, deadline=to_look(len(names))
        )
    found, lost = dict[str, PreparedHost](), dict[str, Outcome]()
    for name, answer in looked.items():
        if isinstance(answer, HostFailure):
            lost[name] = _behind(answer.outcome(SUBJECT), gateway, came)
        elif answer.review.refusal:
            lost[name] = Outcome(name, SUBJECT, Status.FAILED, f"refused: {answer.review.refusal}")
        else:
            found[name] = answer
    return found, lost


def _behind(outcome: Outcome, gateway: str, came: Sequence[Outcome]) -> Outcome:
    """Return a host's failure with the name of the host that it is reached through."""
    failed = any(other.status is Status.FAILED for other in came)
    what = "could not be changed" if failed else "was changed just before"
    message = f"{outcome.message}; it is reached through {gateway}, whose firewall {what}"
    return Outcome(outcome.host, SUBJECT, Status.FAILED, message, next=f"look at {gateway} first, then run again")
