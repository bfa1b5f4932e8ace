"""What does a run of verification come to: cells, outcomes, the perimeter's lines, and the report's own keys?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flows._ports.observation import ObservedHosts
from flows._ports.probe_run import ProbeRun
from model.host.hostview import HostView
from model.report.outcome import Outcome, Status
from model.report.report import Cell
from model.site.rows import WORDS
from model.site.site import Site
from model.verify.network_rows import network_cells, unwitnessed
from model.verify.perimeter import parse
from model.verify.perimeter_rows import perimeter_outcomes, perimeter_rows
from model.verify.pod_rows import pod_cells, pod_ends
from model.verify.pods import is_pod, node_of
from model.verify.ssh_reachability import SshReachability, controller_cells
from model.verify.tally import host_outcomes
from model.verify.verification import Verification


def cells_of(
    verification: Verification,
    probe_run: ProbeRun,
    planes: Sequence[str],
    names: Sequence[str],
    answering: Sequence[str],
    absent: str,
) -> tuple[Cell, ...]:
    """
    Return the cells of all chosen planes; when only chosen ports are looked at, those of probed pairs alone.

    `names` are the hosts of the chosen pairs, `answering` those among them that are destinations, `absent` why there
    are no pods.
    """
    cells = list(verification.cells)
    if verification.coverage is not None:
        return tuple(cells)
    if "host" in planes:
        cells += network_cells(verification, answering)
        cells += controller_cells(
            verification.site, _greetings(probe_run, verification.views), verification.views, names
        )
    if "pod" in planes:
        cells += pod_cells(verification.site, absent)
    return tuple(cells)


def _greetings(probe_run: ProbeRun, views: Mapping[str, HostView]) -> dict[str, SshReachability]:
    """Lay beside each answer of an sshd what that host's witness saw of connections to its port."""
    found = {}
    for name, answered in probe_run.greeted.items():
        account = probe_run.accounts.seen.get(name)
        if account is None:
            found[name] = SshReachability(answered)
            continue
        port = views[name].sshd_port if name in views else 22
        connects = [connect for connect in account.connects if connect.port == port]
        arrived, passed = sum(each.arrived for each in connects), sum(each.passed for each in connects)
        found[name] = SshReachability(answered, arrived, passed)
    return found


def outcomes_of(
    verification: Verification,
    cells: Sequence[Cell],
    observed: ObservedHosts,
    probe_run: ProbeRun,
    names: Sequence[str],
    planes: Sequence[str],
    absent: str,
) -> list[Outcome]:
    """
    Return what came of every host: failures, missing agents, its cells, its rules, and what its witness had to drop.
    """
    outcomes = [failure.outcome() for failure in observed.failures.values()]
    outcomes += [
        Outcome(name, "python3", Status.FAILED, "python3 missing: the probe agent cannot run", next=_INSTALL)
        for name in observed.agentless
    ]
    problems: dict[str, dict[str, str]] = {}
    for name, agents in probe_run.agents.items():
        where = " in its pod" if is_pod(name) else ""
        problems.setdefault(node_of(name), {}).update({f"{role}{where}": why for role, why in agents.problems.items()})
    outcomes += host_outcomes([name for name in names if name in observed.views], cells, problems)
    outcomes += verification.disagreements
    outcomes += [
        Outcome(
            node_of(name),
            "overrun",
            Status.UNPROVEN,
            f"{name}: the witness had no room for {seen.overrun} packets",
            next=_SLOWER,
        )
        for name, seen in probe_run.accounts.seen.items()
        if seen.overrun
    ]
    rows = unwitnessed(verification.site, planes) if verification.coverage is None else ()
    if rows:
        message = f"rows that nobody can witness: {', '.join(rows)}"
        outcomes.append(
            Outcome("controller", "unwitnessed", Status.NOT_RUN, message, next="no agent runs at their other end")
        )
    if absent and set(planes) == {"pod"}:
        message = f"rows of the pod plane not run: {absent}"
        outcomes.append(Outcome("controller", "pods", Status.NOT_RUN, message, next="bootstrap a cluster"))
    return outcomes


_INSTALL = "run `python -m flows.firewall` first"
_SLOWER = "run again with a lower --rate"


def beside_perimeter(
    site: Site, device: str | None, rules: str | None, cells: Sequence[Cell]
) -> tuple[dict[str, object], tuple[Outcome, ...]]:
    """
    Lay what is declared, what the device's rules say and what packets showed side by side: the report's key, and
    outcomes.
    """
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
