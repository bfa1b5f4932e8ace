"""One run of probes: every source fires while every witness looks, and what got lost is sent again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from flows._ports.agent_pool import AgentPool, Agents
from flows._ports.ends import End
from flows._ports.rounds import LAST_LOOK_MS, ROUNDS, Volley, longest, send_rounds
from model import bits
from model.site.site import Site
from model.verify.evidence import RunEvidence, join
from model.verify.loss import Loss
from model.verify.pairs import Pair
from model.verify.probing import AgentRecords
from model.verify.resend import Wanted, confirmed, doubtful, silent
from model.verify.sendings import PacketPath, Sendings
from remote.probe.bundle import LIFE_S

if TYPE_CHECKING:
    from nornir.core import Nornir

# A service that its supervisor starts again, as kubelet does a control plane's, is back within a minute.
_ASKED_AGAIN, _PAUSE_SECONDS = 12, 5.0
# Connections tried at once where an sshd did not greet, and how often; sshd itself drops from ten on.
_GREETINGS, _GREETING_ROUNDS = 6, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRun:
    """
    What a run of probes found out.

    `ssh_answers`: whether each host's sshd answered the controller, `ssh_doubts` what may be why it did not. `lost`
    counts probes that only a later round brought to their witness, `fired` all packets sent; `losses` are those of
    paths that lost any, `rounds` took `seconds`. `late` are the seconds until services that gave no answer at first
    gave one, by end, protocol and port.
    """

    evidence: RunEvidence
    records: AgentRecords
    agents: Mapping[str, Agents]
    ssh_answers: Mapping[str, bool]
    fired: int
    lost: int
    ssh_doubts: Mapping[str, str] = field(default_factory=dict)
    losses: Mapping[PacketPath, Loss] = field(default_factory=dict)
    rounds: int = 1
    seconds: float = 0.0
    late: Mapping[tuple[str, str, int], float] = field(default_factory=dict)


def run_probes(
    nr: Nornir,
    site: Site,
    fired: Sequence[Pair],
    requests: Mapping[str, Mapping[int, str]],
    *,
    owed: Callable[[Pair, str], int],
    say: Callable[[str], None],
    ends: Mapping[str, End],
    rate: int,
    seconds: float,
    tell: Callable[[int], None],
) -> ProbeRun:
    """
    Open agents at `ends`, fire all probes of the pairs, resend what is missing, and close the agents.

    `owed` gives the ports on which a service must answer: one that does not is asked again for a minute. `seconds`
    is what one round should take; agents end by themselves long after. `tell` is called with the number of
    probes sent so far. An agent that fails costs its own evidence and nobody else's.
    """
    limit = longest(seconds)
    agent_pool = AgentPool(nr, ends, int(LIFE_S + 2 * ROUNDS * seconds + limit + _ASKED_AGAIN * _PAUSE_SECONDS))
    volley = Volley(agent_pool=agent_pool, site=site, fired=fired, sendings=Sendings(owed), rate=rate)
    agent_pool.open()
    try:
        agent_pool.arm(fired, requests)
        ssh_answers = agent_pool.reach_ssh()
        sent = send_rounds(volley, tell, limit, say)
        probe_run = ProbeRun(
            evidence=sent.evidence,
            records=sent.records,
            agents=agent_pool.agents,
            ssh_answers=ssh_answers,
            fired=sent.packets,
            lost=sent.recovered,
            rounds=sent.rounds,
            seconds=sent.seconds,
        )
        probe_run = _answered(volley, _greeted(volley, probe_run), say)
        probe_run = _sure(volley, requests, probe_run)
        evidence = volley.sendings.doubted(fired, probe_run.evidence)
        return replace(probe_run, evidence=evidence, losses=volley.sendings.losses)
    finally:
        agent_pool.close()


def _greeted(volley: Volley, probe_run: ProbeRun) -> ProbeRun:
    """Connect to each sshd that did not greet again, several times at once, until loss does not explain it."""
    answers, sendings = dict(probe_run.ssh_answers), volley.sendings
    tries = dict.fromkeys((name for name, answer in answers.items() if not answer), 1)
    for _ in range(_GREETING_ROUNDS):
        mute = [name for name in tries if not answers[name] and tries[name] < sendings.greetings(name)]
        if not mute:
            break
        answers |= volley.agent_pool.reach_ssh(mute, _GREETINGS)
        tries |= {name: tries[name] + _GREETINGS for name in mute}
    if not tries:
        return probe_run
    doubts = {
        name: f"{count} connections gave no answer; {sendings.around(name)}, which may be why"
        for name, count in tries.items()
        if not answers[name] and count < sendings.greetings(name)
    }
    records, evidence = volley.look()
    return replace(probe_run, ssh_answers=answers, ssh_doubts=doubts, records=records, evidence=evidence)


def _answered(volley: Volley, probe_run: ProbeRun, say: Callable[[str], None]) -> ProbeRun:
    """Ask services that gave no answer again, a few seconds apart, and keep how long each took to give one."""
    late: dict[tuple[str, str, int], float] = {}
    waiting = silent(volley.useful, probe_run.evidence, volley.sendings.owed)
    for asked in range(_ASKED_AGAIN):
        if not waiting:
            break
        if not asked:
            say(f"services that give no answer are asked again, for {_ASKED_AGAIN * _PAUSE_SECONDS:.0f} s at most")
        time.sleep(_PAUSE_SECONDS)
        packets, records, evidence = volley.fire(waiting)
        probe_run = replace(probe_run, evidence=evidence, records=records, fired=probe_run.fired + packets)
        before, waiting = waiting, silent(volley.useful, evidence, volley.sendings.owed)
        late |= dict.fromkeys(_by_now(volley.fired, before, waiting), (asked + 1) * _PAUSE_SECONDS)
    return replace(probe_run, late=late) if late else probe_run


def _by_now(fired: Sequence[Pair], before: Wanted, after: Wanted) -> Iterator[tuple[str, str, int]]:
    """Yield host, protocol and port of what was waited for before and is not any more."""
    hosts = {(pair.source, str(pair.address)): pair.destination for pair in fired}
    for source, streams in before.items():
        for (address, protocol), ports in streams.items():
            for port in bits.to_ports(ports & ~after.get(source, {}).get((address, protocol), 0)):
                yield hosts[source, address], protocol, port


def _sure(volley: Volley, requests: Mapping[str, Mapping[int, str]], probe_run: ProbeRun) -> ProbeRun:
    """
    Send what surfaced where nobody sent it once more, under other tags, as often as everything else, and more often
    where packets are lost.
    """
    doubted = doubtful(volley.fired, probe_run.evidence)
    if not doubted:
        return probe_run
    agent_pool, sendings = volley.agent_pool, volley.sendings
    agent_pool.arm(doubted, requests)
    times = sendings.needed(doubted, ROUNDS)
    packets = sum(agent_pool.fire(None, volley.rate, lambda _sent: None) for _ in range(times))
    records = agent_pool.collect(LAST_LOOK_MS) if sendings.losses else agent_pool.collect()
    if probe_run.records.seen.keys() - records.seen.keys():
        # Who saw it may be who does not answer any more: then nothing speaks against it.
        return replace(probe_run, fired=probe_run.fired + packets)
    evidence = confirmed(doubted, probe_run.evidence, join(volley.site, doubted, records))
    return replace(probe_run, evidence=evidence, fired=probe_run.fired + packets)
