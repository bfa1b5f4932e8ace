"""The state of etcd: its members, its leader, its size, and that every control plane means the same cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from flows._cluster.cluster_run import ClusterRun, at_work
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from flows._run.context import Context, FlowResult
from flows._run.selection import planes, roles
from model.errors import HostError
from model.report.outcome import Outcome, Status
from remote.facts import etcd_status
from remote.facts.etcd_status import MemberState
from tasks import etcd_snapshot

_LOOK_SECONDS = 90.0
_FULL = 0.8
_MIB = 1 << 20


def status(context: Context) -> FlowResult:
    """Ask every control plane about etcd and return an outcome a member, with the snapshots that are kept."""
    names = planes(context)
    with at_work(context, "etcd", names, lock=False) as cluster_run:
        outcomes = (*cluster_run.lost.values(), *_outcomes(cluster_run))
    return FlowResult(outcomes, names, extra=roles(context.site))


def _outcomes(cluster_run: ClusterRun) -> Iterator[Outcome]:
    members = cluster_run.members
    for name in cluster_run.planes:
        if name not in members:
            message = "is no member of the cluster"
            yield Outcome(name, "etcd", Status.DRIFT, message, next="python -m flows.bootstrap brings it in")
    answers = run_on_hosts(cluster_run.nr, etcd_status.observe, names=members, deadline=_LOOK_SECONDS)
    accounts = {name: answer for name, answer in answers.items() if not isinstance(answer, HostFailure)}
    yield from (answer.outcome("etcd") for answer in answers.values() if isinstance(answer, HostFailure))
    if not accounts:
        step = "python -m flows.etcd restore, where most members are lost for good"
        yield Outcome("controller", "etcd", Status.FAILED, "no member of etcd answers", next=step)
        return
    yield from _split(accounts)
    states = next(iter(accounts.values()))
    yield from (_state(cluster_run, state) for state in states)
    yield _leader(states)
    yield from _snapshots(cluster_run, tuple(accounts))


def _split(accounts: Mapping[str, tuple[MemberState, ...]]) -> Iterator[Outcome]:
    """Two control planes that tell of different members belong to different clusters."""
    first, mine = next((name, frozenset(s.member.id for s in states)) for name, states in accounts.items())
    for name, states in accounts.items():
        if frozenset(state.member.id for state in states) != mine:
            message = f"its etcd has other members than that of {first}: two clusters"
            step = "after a restore: python -m flows.nodes reset the control planes that came back, all in one command"
            yield Outcome(name, "etcd-members", Status.FAILED, message, next=step)


def _state(cluster_run: ClusterRun, state: MemberState) -> Outcome:
    seat, evidence = state.seat, asdict(state)
    name = seat.name if seat.name in cluster_run.site.by_name else "controller"
    if name == "controller":
        message = f"{seat.name} ({state.member.address}) is a member and no host of the site"
        return Outcome(
            name, "etcd", Status.DRIFT, message, next="etcdctl member remove, if it is gone for good", evidence=evidence
        )
    if not state.healthy:
        why = state.error or "it does not answer"
        step = f"bring it back, or python -m flows.nodes remove {name} --yes"
        return Outcome(name, "etcd", Status.FAILED, f"its member is not healthy: {why}", next=step, evidence=evidence)
    words = f"{state.version}, {state.size / _MIB:.1f} of {state.quota / _MIB:.0f} MiB, revision {state.revision}"
    if state.alarms:
        step = "free space, then etcdctl alarm disarm"
        return Outcome(
            name, "etcd", Status.DRIFT, f"alarm {', '.join(state.alarms)}; {words}", next=step, evidence=evidence
        )
    if not seat.voter:
        message = f"a learner without a vote; {words}"
        return Outcome(
            name, "etcd", Status.DRIFT, message, next="python -m flows.bootstrap ends the join", evidence=evidence
        )
    if state.quota and state.size > _FULL * state.quota:
        return Outcome(
            name,
            "etcd",
            Status.DRIFT,
            f"nearly full; {words}",
            next="etcdctl defrag, member by member",
            evidence=evidence,
        )
    return Outcome(name, "etcd", Status.OK, f"{'leads, ' if state.leads else ''}{words}", next="", evidence=evidence)


def _leader(states: tuple[MemberState, ...]) -> Outcome:
    leaders = [state.seat.name for state in states if state.leads]
    healthy = sum(state.healthy for state in states)
    if len(leaders) == 1 and healthy:
        return Outcome("controller", "etcd-quorum", Status.OK, f"{healthy} of {len(states)} members answer")
    message = f"no quorum: {healthy} of {len(states)} members answer"
    return Outcome(
        "controller", "etcd-quorum", Status.FAILED, message, next="bring members back, or flows.etcd restore"
    )


def _snapshots(cluster_run: ClusterRun, names: tuple[str, ...]) -> Iterator[Outcome]:
    for name in names:
        try:
            kept = etcd_snapshot.kept(cluster_run.host(name))
        except HostError as error:
            yield Outcome(name, "etcd-snapshots", Status.FAILED, error.message, next=error.next_step)
            continue
        if not kept:
            yield Outcome(name, "etcd-snapshots", Status.NOT_RUN, "keeps none; python -m flows.etcd snapshot takes one")
            continue
        newest = kept[-1]
        when = datetime.fromtimestamp(newest.taken, UTC)
        message = f"{len(kept)} snapshots, the newest {newest.name} of {when:%Y-%m-%d %H:%M} UTC"
        yield Outcome(
            name, "etcd-snapshots", Status.OK, message, next="", evidence=[asdict(snapshot) for snapshot in kept]
        )
