"""What the phases of a bootstrap share: hosts that are still in, what was seen of them, and what came of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from flows._fleet.failure import HostFailure
from flows._fleet.hosts import closing, run_on_hosts
from flows._fleet.inventory import inventory
from flows._run.context import Context
from flows._run.journal import Journal
from flows._run.selection import who
from model.bundle.bundle import Bundle
from model.errors import LockHeld, RootRefused
from model.host.node import NodeFacts
from model.report.outcome import Outcome, Status
from model.site.site import Site
from tasks.node_lock import NodeLock

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.inventory import Host

T = TypeVar("T")
_LOOK_SECONDS = 60.0
# A host's lock waits for what a killed run left under way there.
_LOCK_SECONDS = 340.0


@dataclass(frozen=True, slots=True)
class Phase:
    """
    One step of the way: `run` returns its outcomes.

    `gate`: what it finds wrong stops everything behind it; `vital`: nothing can follow where it failed. `everywhere`:
    it tells of every host, and not of the cluster alone. `stages`: it brings files of the bundle to hosts, so all of
    them are read first. `foresee` raises, before anything is touched, where the phase could not do its work.
    """

    name: str
    title: str
    run: Callable[[ClusterRun], tuple[Outcome, ...]]
    gate: bool = False
    vital: bool = False
    everywhere: bool = True
    stages: bool = False
    foresee: Callable[[ClusterRun], None] | None = None


@dataclass
class ClusterRun:
    """
    One run. `facts` are of the hosts that answered, `lost` says why others are no longer in, `bundle` and `folder` are
    None where hosts install from their own sources. `purge`: firewall rules of hosts never managed before may go.
    `helper_hosts`: control planes that are asked, and let hosts into their cluster, and are themselves left as they
    are. `proof`: what the ports of all hosts were proven to be, last.
    """

    nr: Nornir
    context: Context
    journal: Journal
    names: tuple[str, ...]
    bundle: Bundle | None = None
    folder: Path | None = None
    purge: bool = False
    helper_hosts: tuple[str, ...] = ()
    facts: dict[str, NodeFacts] = field(default_factory=dict)
    lost: dict[str, Outcome] = field(default_factory=dict)
    locks: dict[str, NodeLock] = field(default_factory=dict)
    proof: list[list[Any]] = field(default_factory=list)

    @property
    def site(self) -> Site:
        """The site."""
        return self.context.site

    @property
    def dry_run(self) -> bool:
        """True where nothing may be changed."""
        return self.context.options.dry_run

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts that are still in, in the inventory's order."""
        return tuple(name for name in self.names if name not in self.lost)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Those of them that are to be members of the cluster."""
        return tuple(name for name in self.hosts if self.site.by_name[name].node)

    @property
    def planes(self) -> tuple[str, ...]:
        """Those of them that are to be control planes."""
        return tuple(name for name in self.hosts if self.site.by_name[name].node == "control_plane")

    @property
    def members(self) -> tuple[str, ...]:
        """Control planes that are still in and have been in the cluster when they were looked at."""
        there = (*self.planes, *(name for name in self.helper_hosts if name in self.facts))
        return tuple(name for name in there if self.facts[name].progress == "member")

    def host(self, name: str) -> Host:
        """Return Nornir's host."""
        return self.nr.inventory.hosts[name]

    def look(self) -> tuple[Outcome, ...]:
        """Look at every host for the first time; those that do not answer are out, and their outcomes are returned."""
        from remote.facts import node

        asked = (*self.names, *self.helper_hosts)
        with self.context.awaiting(asked, "looking at every host") as watch:
            answers = run_on_hosts(self.nr, node.observe, names=asked, deadline=_LOOK_SECONDS, watch=watch)
        for name, answer in answers.items():
            if not isinstance(answer, HostFailure):
                self.facts[name] = answer
            elif name in self.names:
                refused = isinstance(answer.exception, RootRefused)
                self.lost[name] = answer.outcome("sudo" if refused else "connection")
        return tuple(self.lost.values())

    def look_again(self, name: str) -> NodeFacts:
        """Look at one host again."""
        from remote.facts import node

        self.facts[name] = node.observe(self.host(name))
        return self.facts[name]

    def lock(self, who: str) -> None:
        """
        Lock every host that is in; raises `LockHeld` with all that others hold. A host that cannot be locked is out.
        """

        def take(host: Host) -> NodeLock:
            return NodeLock(host, who)

        held = []
        asked = (*self.hosts, *(name for name in self.helper_hosts if name in self.facts))
        with self.context.awaiting(asked, "locking every host") as watch:
            answers = run_on_hosts(self.nr, take, names=asked, deadline=_LOCK_SECONDS, watch=watch)
        for name, answer in answers.items():
            if isinstance(answer, NodeLock):
                self.locks[name] = answer
            elif isinstance(answer.exception, LockHeld):
                held.append(answer.message)
            elif name in self.names:
                self.lost[name] = answer.outcome("lock")
            else:
                del self.facts[name]
        if held:
            raise LockHeld("\n".join(held))

    def release(self) -> None:
        """Let all locks go."""
        for lock in self.locks.values():
            lock.release()

    def on_each(
        self, subject: str, label: str, task: Callable[[Host], Outcome], names: Sequence[str], seconds: float
    ) -> tuple[Outcome, ...]:
        """
        Run one step on several hosts at once and return an outcome a host; a host where it fails is out of the run from
        there on.
        """
        if not names:
            return ()

        def timed(host: Host) -> Outcome:
            started = monotonic()
            return replace(task(host), seconds=round(monotonic() - started, 3))

        with self.context.awaiting(names, label) as watch:
            answers = run_on_hosts(self.nr, timed, names=names, watch=watch, deadline=seconds)
        return tuple(self._outcome(subject, name, answer) for name, answer in answers.items())

    def _outcome(self, subject: str, name: str, answer: Outcome | HostFailure) -> Outcome:
        outcome = answer.outcome(subject) if isinstance(answer, HostFailure) else answer
        if outcome.status in (Status.FAILED, Status.MISSING):
            self.lost[name] = outcome
        return outcome


@contextmanager
def at_work(
    context: Context, flow: str, names: tuple[str, ...], *, lock: bool, helper_hosts: tuple[str, ...] = ()
) -> Iterator[ClusterRun]:
    """Look at hosts, hold their locks unless it is a dry run, and let go of everything in the end."""
    nr = inventory(context.options.inventory)
    journal = Journal(context.options.inventory, flow, dry_run=context.options.dry_run)
    cluster_run = ClusterRun(nr, context, journal, names, helper_hosts=helper_hosts)
    with closing(nr):
        try:
            cluster_run.look()
            if lock and not cluster_run.dry_run:
                cluster_run.lock(who())
            yield cluster_run
        finally:
            cluster_run.release()
