"""Checks of services: those run that should, none that nobody declared, and the clock follows the site's time."""

from __future__ import annotations

from checks.check import BOOTSTRAP, SERVERS, ComplianceView, HostCheck
from model.check.finding import Severity, Verdict, flawed, settled
from model.check.judgement import clocks
from model.host.host_facts import Clocked, HostFacts, Release, Socket, Sockets, Units
from model.host.hoststate import RUNNING
from model.host.hostview import is_named
from model.host.units import units
from model.matrix.matrix import rows_to
from model.site.hosts import Machine
from model.site.rows import Row
from model.site.site import Site

_ON_NODES = {"kubelet", "kube-proxy"}
# chrony asks its servers every 17 minutes at the longest: four times silence is too much.
STALE_SECONDS = 4 * 1024.0


def running(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find units that should run by now and do not, or will not after the next boot."""
    known, release = facts.of(Units).known, facts.of(Release)
    stages = {"firewall"} | ({"prepared"} if release.prepared else set()) | ({"member"} if release.member else set())
    wrong, well = [], []
    for unit in units(view.site, machine):
        others = [known[name] for name in unit.instead if name in known]
        if unit.since not in stages or any(other.active in RUNNING for other in others):
            continue
        seen = known[unit.name]
        if seen.active not in RUNNING and not (unit.once and seen.active == "inactive" and seen.loaded != "not-found"):
            wrong.append(
                f"{unit.name} does not run: {seen.active}, {seen.sub}"
                if seen.loaded != "not-found"
                else f"there is no {unit.name}"
            )
        elif seen.enabled not in _STARTED:
            wrong.append(f"{unit.name} runs and would not start at boot: {seen.enabled or 'no unit file'}")
        else:
            well.append(unit.name)
    shown = {
        name: [unit_seen.active, unit_seen.enabled]
        for name, unit_seen in known.items()
        if unit_seen.loaded != "not-found"
    }
    return settled(wrong, f"{', '.join(well)} run", shown)


_STARTED = ("enabled", "static", "alias", "generated", "indirect", "enabled-runtime")


def failed(_view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find units that ended in failure."""
    names = list(facts.of(Units).failed)
    return settled([f"{name} failed" for name in names], "no unit failed", names)


def listeners(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """
    Find sockets that others can reach and that no row of the matrix declares, or that belong to another program than it
    says.
    """
    rows = (*rows_landing(view.site, machine), *rows_of_nodes(view.site, machine))
    wrong: dict[str, None] = {}
    shown = []
    for socket in facts.of(Sockets).known:
        if socket.address.is_loopback:
            continue
        who = "/".join(dict.fromkeys(socket.processes)) or "the kernel"
        shown.append(f"{socket.address} {socket.port}/{socket.protocol} {who}")
        covering = [row for row in rows if row.protocol == socket.protocol and _holds(row, socket.port)]
        if not covering:
            wrong[f"{who} listens on {socket.port}/{socket.protocol}, which no row declares"] = None
        elif not any(_rightful(row, socket) for row in covering):
            owners = " or ".join(dict.fromkeys(name for row in covering for name in row.process))
            named = ", ".join(row.name for row in covering)
            wrong[f"{who} listens on {socket.port}/{socket.protocol}, which is for {owners} ({named})"] = None
    return settled(list(wrong), f"{len(shown)} sockets, all declared", shown)


def rows_landing(site: Site, machine: Machine) -> tuple[Row, ...]:
    """Return the rows that let something listen on the machine, ufw's own openings too."""
    own = (
        row
        for row in site.active_rows
        if row.builtin and any(machine in site.machines_at(end) for end in row.destination_ends)
    )
    return (*rows_to(site, machine), *own)


def rows_of_nodes(site: Site, machine: Machine) -> tuple[Row, ...]:
    """Return the rows of what listens on every node alike, also where the matrix lets nobody reach it, as on LI's."""
    return tuple(
        row
        for row in site.active_rows
        if machine.node and row.phase == "cluster" and row.process and set(row.process) <= _ON_NODES
    )


def _holds(row: Row, port: int) -> bool:
    return any(low <= port <= high for low, high in row.intervals)


def _rightful(row: Row, socket: Socket) -> bool:
    """What the kernel itself holds, such as an overlay's port, has no process."""
    return not row.process or not socket.processes or any(is_named(name, row.process) for name in socket.processes)


def clock(view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find clocks that follow no other, or follow it badly."""
    source, prepared = facts.of(Clocked), facts.of(Release).prepared
    if not source.chrony:
        if source.synchronised:
            return Verdict("systemd-timesyncd says that the clock is set by a time server")
        return flawed("chrony is not installed") if prepared else Verdict(pending=BOOTSTRAP)
    evidence = {
        "source": source.source,
        "offset_seconds": source.offset,
        "since_seconds": round(source.since, 1),
        "sources": [f"{address} {state} {reach:03o}" for address, state, reach in source.sources],
    }
    if not source.leap:
        return settled([f"chronyd does not answer: {source.why or 'it said nothing'}"], "", evidence)
    addresses = [address for address, _, _ in source.sources]
    wrong = list(clocks.unsynchronised(source.synchronised, addresses or ["no server at all"]))
    if not wrong and clocks.too_far(source.offset):
        wrong.append(f"the clock is {abs(source.offset):.2f} s off")
    elif not wrong and source.since > STALE_SECONDS:
        wrong.append(f"the clock was last compared {source.since / 60:.0f} minutes ago")
    servers = {str(server) for server in view.site.settings.ntp}
    strange = [address for address in addresses if servers and address not in servers]
    if prepared and strange:
        wrong.append(f"the clock follows servers that the site does not name: {', '.join(strange)}")
    return settled(wrong, f"the clock follows {source.source}, {abs(source.offset) * 1000:.2f} ms off", evidence)


CHECKS = (
    HostCheck(
        id="services/running",
        title="The services run, and start at boot",
        phase="host",
        looks_at="systemd's units of every stage that the host has behind it",
        by="systemctl status",
        remedy="systemctl enable --now it; read its journal",
        owner="os",
        applies=SERVERS,
        judge=running,
    ),
    HostCheck(
        id="services/failed",
        title="No unit ended in failure",
        phase="host",
        severity=Severity.WARNING,
        looks_at="systemd's failed units",
        by="systemctl --failed",
        remedy="read its journal: journalctl -u UNIT; then systemctl reset-failed",
        applies=SERVERS,
        judge=failed,
    ),
    HostCheck(
        id="services/listeners",
        title="Nothing listens that no row of the matrix declares",
        phase="host",
        looks_at="sockets on addresses that others can reach, with their processes",
        by="ss -lntup",
        remedy="stop that program, bind it to loopback, or declare it in ports.yaml",
        applies=SERVERS,
        judge=listeners,
    ),
    HostCheck(
        id="time/synchronised",
        title="The clock follows the site's time servers",
        phase="host",
        looks_at="what chronyd says of its sources and its offset",
        by="chronyc tracking; chronyc sources",
        remedy="look at the time servers (`ntp` in site.yaml) and at chrony's journal",
        owner="os",
        applies=SERVERS,
        judge=clock,
    ),
)
