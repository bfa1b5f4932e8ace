"""
The agents of all ends, driven in step: opened, armed, fired, asked, closed; one that fails costs nobody else anything.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from flows._ports.ends import End, each_end
from model import bits
from model.errors import HostError
from model.verify.assignments import assignments, expected_at
from model.verify.pairs import Pair
from model.verify.probing import AgentRecords, Assignment, SentStream, WitnessRecord
from remote.installed import program
from remote.probe import bundle
from remote.probe.session import QUIET_MS, SourceSession, WitnessSession
from remote.shell import start, tcp_banner

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.inventory import Host

Agent = TypeVar("Agent", WitnessSession, SourceSession)
# A host's two agents start, arm and answer within seconds, and within many where packets are lost; nothing here waits
# longer for one of them.
STEP_SECONDS = 60.0
# In that time the kernel sends the first packet of a connection three times.
_GREETING_SECONDS = 5.0
# A source that falls silent is given up at once (`remote.probe.session`). One that says that it still fires, on a busy
# host, is waited for so long, and so many times longer than its probes should take.
_FIRING_SECONDS, _SLOWER = 90.0, 20


@dataclass(slots=True)
class Agents:
    """The two agents of one end; None where one could not be started or has died, with the reason by role."""

    witness: WitnessSession | None = None
    source: SourceSession | None = None
    problems: dict[str, str] = field(default_factory=dict)


class AgentPool:
    """All agents of a run, driven in step."""

    def __init__(self, nr: Nornir, ends: Mapping[str, End], life: int) -> None:
        self.nr = nr
        self.ends = ends
        self.agents = {name: Agents() for name in ends}
        self.life = life
        self.sources: set[str] = set()
        self.planned: dict[str, int] = {}

    def open(self) -> None:
        """Start both agents at every end."""

        def begin(host: Host, name: str) -> None:
            agents, end = self.agents[name], self.ends[name]
            with _losing(agents, "witness"):
                agents.witness = _opened(WitnessSession, host, end, self.life)
            with _losing(agents, "source"):
                agents.source = _opened(SourceSession, host, end, self.life)

        self._at_every_end(begin)

    def arm(self, chosen: Sequence[Pair], requests: Mapping[str, Mapping[int, str]]) -> None:
        """Tell every witness what to look for and every source what to fire, under new tags."""
        key = secrets.token_bytes(16)
        planned = assignments(chosen, requests)
        by_source: dict[str, Assignment] = {assignment.source: assignment for assignment in planned}
        external = {str(pair.address) for pair in chosen if pair.external}
        self.sources, self.planned = set(by_source), {}

        def ready(_host: Host, name: str) -> None:
            agents, end = self.agents[name], self.ends[name]
            if agents.witness:
                with _losing(agents, "witness"):
                    agents.witness.arm(key, expected_at(planned, end.addresses, external), end.watched)
            if agents.source and name in by_source:
                with _losing(agents, "source"):
                    self.planned[name] = agents.source.arm(key, by_source[name])

        self._at_every_end(ready)

    def reach_ssh(self, names: Sequence[str] | None = None, at_once: int = 1) -> dict[str, bool]:
        """
        Connect from the controller to every host's sshd once more, or to those of `names`, by so many connections `at
        once`, of which any that is greeted will do: an open flow, and a positive control of each witness.
        """

        def greeted(host: Host) -> bool:
            try:
                tcp_banner(host, _GREETING_SECONDS)
            except HostError:
                return False
            return True

        def connect(host: Host) -> bool:
            if at_once == 1:
                return greeted(host)
            with ThreadPoolExecutor(at_once, thread_name_prefix=host.name) as pool:
                return any(list(pool.map(greeted, [host] * at_once)))

        hosts = tuple(dict.fromkeys(end.host for end in self.ends.values())) if names is None else names
        answers = run_on_hosts(self.nr, connect, names=hosts, deadline=STEP_SECONDS)
        return {name: answer is True for name, answer in answers.items()}

    def fire(
        self, wanted: Mapping[str, Mapping[tuple[str, str], int]] | None, rate: int, tell: Callable[[int], None]
    ) -> int:
        """Let every source fire at once, `rate` packets a second a host; return the number of packets that left."""
        progress: dict[str, int] = {}
        names = sorted(self.sources if wanted is None else self.sources & set(wanted))
        load = self.planned if wanted is None else {name: _number(wanted[name]) for name in names}

        def shoot(_host: Host, name: str) -> int:
            agents = self.agents[name]
            source = agents.source
            if source is None:
                return 0

            def note(sent: int, _of: int) -> None:
                progress[name] = sent
                tell(sum(progress.values()))

            with _losing(agents, "source"):
                fired = source.fire(
                    None if wanted is None else wanted[name], rate=self._share(name, load, rate), on_progress=note
                )
                progress[name] = fired.sent + fired.refused + fired.unroutable
                return fired.sent
            return 0

        firing = [name for name in names if name in self.agents]
        deadline = _FIRING_SECONDS + _SLOWER * max((self._on_host(name, load) for name in firing), default=0) / rate
        answers = each_end(self.nr, shoot, firing, deadline)
        for name, answer in answers.items():
            if isinstance(answer, HostFailure):
                # Its thread may still hold the old agent; nothing here speaks to that any more.
                problems = dict(self.agents[name].problems) | {"source": answer.message}
                self.agents[name] = Agents(witness=self.agents[name].witness, problems=problems)
        tell(sum(progress.values()))
        return sum(answer for answer in answers.values() if isinstance(answer, int))

    def _share(self, name: str, load: Mapping[str, int], rate: int) -> int:
        """
        The end's part of its host's packets a second: all ends of a host are done at the same time. `load` is how many
        probes each end has to fire.
        """
        return max(1, rate * load.get(name, 0) // max(1, self._on_host(name, load)))

    def _on_host(self, name: str, load: Mapping[str, int]) -> int:
        """Return how many probes all ends of the end's host have to fire."""
        host = self.ends[name].host
        return sum(probes for other, probes in load.items() if self.ends[other].host == host)

    def collect(self, quiet_ms: int = QUIET_MS) -> AgentRecords:
        """
        Ask every source for its replies and every witness for what it saw, once it has been quiet for so long; a dead
        agent leaves no record.
        """

        def gather(_host: Host, name: str) -> None:
            agents = self.agents[name]
            if agents.witness:
                with _losing(agents, "witness"):
                    seen[name] = agents.witness.collect(quiet_ms=quiet_ms)
            if agents.source and name in self.sources:
                with _losing(agents, "source"):
                    sent[name] = agents.source.collect(quiet_ms=quiet_ms)

        sent: dict[str, tuple[SentStream, ...]] = {}
        seen: dict[str, WitnessRecord] = {}
        self._at_every_end(gather)
        return AgentRecords(sent, seen)

    def close(self) -> None:
        """End every agent."""

        def finish(_host: Host, name: str) -> None:
            agents = self.agents[name]
            for agent in (agents.witness, agents.source):
                if agent:
                    agent.close()

        self._at_every_end(finish)

    def _at_every_end(self, step: Callable[[Host, str], None]) -> None:
        for name, answer in each_end(self.nr, step, tuple(self.agents), STEP_SECONDS).items():
            if isinstance(answer, HostFailure):
                agents = self.agents[name] = Agents(problems=dict(self.agents[name].problems))
                agents.problems.setdefault("witness", answer.message)
                agents.problems.setdefault("source", answer.message)


def _number(streams: Mapping[tuple[str, str], int]) -> int:
    return sum(map(bits.count, streams.values()))


def _opened(kind: type[Agent], host: Host, end: End, life: int) -> Agent:
    """
    Start an agent at an end: the one that lies on the host where the host is looked at on schedule, else one brought
    along.
    """
    lies_there = program(host, kind.role)
    stream = start(host, lies_there or bundle.argv(kind.role), root=True)
    return kind.open(host.name, stream, container=end.container, life=life, installed=lies_there is not None)


@contextmanager
def _losing(agents: Agents, role: str) -> Iterator[None]:
    """An agent whose host does not play along is lost; its fellow goes on."""
    try:
        yield
    except HostError as error:
        agents.problems.setdefault(role, error.message)
        if role == "witness":
            agents.witness = None
        else:
            agents.source = None
