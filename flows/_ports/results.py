"""What a run of verification comes to: cells, outcomes, the perimeter's lines, and the report's own keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from flows._ports.choice import ChosenPairs
from flows._ports.cluster import ClusterView
from flows._ports.observation import ObservedHosts
from flows._ports.probe_run import ProbeRun
from flows._ports.rounds import ROUNDS
from model.host.server import INSTALL_PYTHON3
from model.report.outcome import Outcome, Status, warn
from model.report.report import Cell
from model.report.waivers import waive_cells
from model.report.words import Plane
from model.site.rows import WORDS
from model.site.site import Site
from model.verify.component_pods import proven_rows
from model.verify.network_rows import network_cells, unwitnessed
from model.verify.perimeter import parse
from model.verify.perimeter_rows import perimeter_outcomes, perimeter_rows
from model.verify.pod_rows import pod_cells, pod_ends
from model.verify.pods import is_pod, node_of
from model.verify.proof import UNCONFIRMED
from model.verify.ssh_reachability import SshReachability, controller_cells
from model.verify.tally import host_outcomes
from model.verify.verification import Verification


@dataclass(frozen=True, kw_only=True)
class VerifiedRun:
    """Everything that a run of verification has gathered; `device` is the perimeter's, None where it is not read."""

    chosen: ChosenPairs
    device: str | None
    observed: ObservedHosts
    cluster: ClusterView
    probe_run: ProbeRun
    verification: Verification


@dataclass(frozen=True, slots=True)
class RunResults:
    """What a run comes to; `perimeter` is the report's key of that name, empty where no device was read."""

    cells: tuple[Cell, ...]
    outcomes: tuple[Outcome, ...]
    perimeter: Mapping[str, object]


def results_of(run: VerifiedRun) -> RunResults:
    """Return what a run comes to, waivers of the site applied."""
    site = run.chosen.site
    cells = waive_cells(_cells(run), site.settings.waivers, datetime.now(UTC).date())
    lines, beside = _perimeter(run, cells)
    return RunResults(cells, (*_outcomes(run, cells), *run.cluster.outcomes, *beside), lines)


def _cells(run: VerifiedRun) -> tuple[Cell, ...]:
    """Return the cells of all chosen planes; when only chosen ports are looked at, those of probed pairs alone."""
    planes, facts = run.chosen.options.planes, run.verification.facts
    cells = list(run.verification.cells)
    if run.verification.coverage is not None:
        return tuple(cells)
    if Plane.HOST in planes:
        cells += network_cells(facts, [pair.destination for pair in run.chosen.pairs])
        cells += controller_cells(facts.site, _ssh_reachability(run), facts.views, run.chosen.hosts)
    if Plane.POD in planes:
        cells += pod_cells(facts.site, run.cluster.absent, proven_rows(run.verification.pairs))
    return tuple(cells)


def _ssh_reachability(run: VerifiedRun) -> dict[str, SshReachability]:
    """Lay beside each answer of an sshd what that host's witness saw of connections to its port."""
    reached = {}
    for name, answered in run.probe_run.ssh_answers.items():
        record = run.probe_run.records.seen.get(name)
        if record is None:
            reached[name] = SshReachability(answered=answered)
            continue
        port = run.observed.views[name].sshd_port if name in run.observed.views else 22
        connects = [connect for connect in record.connects if connect.port == port]
        arrived, passed = sum(connect.arrived for connect in connects), sum(connect.passed for connect in connects)
        doubt = run.probe_run.ssh_doubts.get(name, "")
        reached[name] = SshReachability(answered=answered, arrived=arrived, passed=passed, doubt=doubt)
    return reached


def _outcomes(run: VerifiedRun, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """
    Yield what came of every host: failures, missing agents, its cells, its rules, and what its witness had to drop.
    """
    observed = run.observed
    yield from (failure.outcome() for failure in observed.failures.values())
    for name in observed.agentless:
        message = "python3 missing: the probe agent cannot run"
        yield Outcome(name, "python3", Status.FAILED, message, next=INSTALL_PYTHON3)
    for name, waiting in observed.unconfirmed.items():
        yield Outcome(name, UNCONFIRMED, Status.UNPROVEN, waiting.message, next=waiting.next_step)
    yield from run.verification.facts.addresses.outcomes([*observed.views])
    answering = [name for name in run.chosen.hosts if name in observed.views]
    yield from host_outcomes(answering, cells, _agent_problems(run.probe_run))
    yield from _loss(run.probe_run)
    yield from _late(run.probe_run)
    yield from run.verification.disagreements
    for name, record in run.probe_run.records.seen.items():
        if record.overrun:
            message = f"{name}: the witness had no room for {record.overrun} packets"
            yield Outcome(node_of(name), "overrun", Status.UNPROVEN, message, next=_SLOWER)
    yield from _not_run(run)


def _loss(probe_run: ProbeRun) -> Iterator[Outcome]:
    """Say what was lost on the way, and the time that it took, where probes had to be sent more often for that."""
    if probe_run.rounds <= ROUNDS or not probe_run.losses:
        return
    lines = [f"{path}: {loss}" for path, loss in probe_run.losses.items()]
    message = (
        f"packets are lost on the way, most from {lines[0]}; what was missing was sent up to {probe_run.rounds} times, "
        f"within {probe_run.seconds:.0f} s"
    )
    step = "look at cables, switches, routers and load on these paths"
    yield Outcome("controller", "loss", Status.OK, message, next=step, evidence=lines)


def _late(probe_run: ProbeRun) -> Iterator[Outcome]:
    """Warn of services that gave an answer only after a while: they were away, or are now and then."""
    by_host: dict[str, list[str]] = {}
    for (end, protocol, port), seconds in sorted(probe_run.late.items()):
        by_host.setdefault(node_of(end), []).append(f"{port}/{protocol} after {seconds:.0f} s")
    for host, ports in by_host.items():
        message = f"gave no answer at first: {', '.join(ports)}"
        yield warn(host, "late-answers", message, "look there why these services were away: did they restart?")


def _agent_problems(probe_run: ProbeRun) -> dict[str, dict[str, str]]:
    """Return by host why agents of its own, and in its pods, left no record."""
    problems: dict[str, dict[str, str]] = {}
    for name, agents in probe_run.agents.items():
        where = " in its pod" if is_pod(name) else ""
        problems.setdefault(node_of(name), {}).update({f"{role}{where}": why for role, why in agents.problems.items()})
    return problems


def _not_run(run: VerifiedRun) -> Iterator[Outcome]:
    """Yield what is said of rows that this run could not look at."""
    planes, absent = run.chosen.options.planes, run.cluster.absent
    rows = unwitnessed(run.chosen.site, planes) if run.verification.coverage is None else ()
    if rows:
        message = f"rows that nobody can witness: {', '.join(rows)}"
        yield Outcome("controller", "unwitnessed", Status.NOT_RUN, message, next="no agent runs at their other end")
    if absent and set(planes) == {Plane.POD}:
        message = f"rows of the pod plane not run: {absent}"
        yield Outcome("controller", "pods", Status.NOT_RUN, message, next="bootstrap a cluster")


_SLOWER = "run again with a lower --rate"


def _perimeter(run: VerifiedRun, cells: Sequence[Cell]) -> tuple[dict[str, object], tuple[Outcome, ...]]:
    """
    Lay what is declared, what the device's rules say and what packets showed side by side: the report's key, and
    outcomes.
    """
    site, device, rules = run.chosen.site, run.device, run.observed.rules
    if device is None:
        return {}, ()
    try:
        perimeter = parse(rules) if rules is not None else None
    except ValueError as error:
        outcome = Outcome(
            device, "perimeter", Status.FAILED, f"its rules cannot be read: {error}", next="look at the device"
        )
        return {"perimeter": perimeter_rows(site, None, cells)}, (outcome,)
    lines = perimeter_rows(site, perimeter, cells)
    return {"perimeter": lines}, perimeter_outcomes(site, perimeter, lines) if perimeter else ()


def roles_of(site: Site, pods: Iterable[str] = ()) -> dict[str, list[str]]:
    """Return roles by host, and by every end of a cell that is none; `pods` are ends that are pods."""
    words = {
        word: [word] for row in site.active_rows for word in row.source_ends + row.destination_ends if word in WORDS
    }
    ends = {end: ["pods"] for row in site.active_rows if row.plane == "pod" for end in pod_ends(row)}
    ends |= {end: ["pods"] for end in pods}
    return (
        words | ends | {"controller": ["controller"]} | {machine.name: list(machine.roles) for machine in site.machines}
    )
