"""Rules of the port matrix: every row can be opened, and only once."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement.declared import wanted
from model.check.lint.flaw import LintView, flaw
from model.matrix.matrix import rows_to
from model.site.hosts import Machine
from model.site.rows import Row
from model.site.settings import Features
from model.site.site import Site

DERIVED_FEATURES = frozenset(
    {
        "acme",
        "federation",
        "endpoint_keepalived",
        "endpoint_organisation",
        "li_dns",
        "li_ntp",
        "livekit_udp_port",
        "livekit_port_range",
        "ingress_contour",
        "ingress_organisation",
        "object_storage_external",
        "object_storage_minio",
        "object_storage_seaweedfs",
        "push_apns",
        "push_firebase",
        "push_gateway",
        "smtp_login",
    }
)
CNI_WORDS = frozenset({"kube-router"}) | frozenset(
    name + mode for name in ("flannel", "calico", "cilium") for mode in ("", "-vxlan", "-bgp", "-wireguard", "-typha")
)
BUILTIN_PORTS = {"dhcp": 68, "dhcpv6": 546, "mdns": 5353, "upnp": 1900}


def place(site: Site, row: Row) -> str:
    """Return the path of a row within ports.yaml."""
    number = next(number for number, other in enumerate(site.rows) if other is row)
    return f"rows.{number} ({row.name})"


def unreachable_row(view: LintView) -> Iterator[Finding]:
    """Find rows that must be open though one of their ends is nobody, or the ends share no IP family."""
    site = view.site
    for row in site.active_rows:
        if row.plane == "pod" or row.builtin or row.target:
            continue
        sources, destinations = _versions(site, row.source_ends), _versions(site, row.destination_ends)
        path = place(site, row)
        if any(_unwanted(site, ends) for ends in (row.source_ends, row.destination_ends)):
            continue
        for word, ends, machines in (("from", row.source_ends, sources), ("to", row.destination_ends, destinations)):
            if not machines:
                message = "the row must be open, but nobody is at that end"
                fix = "add a host of the role, name the networks in site.yaml, or turn the feature off"
                yield flaw(
                    "ports.yaml",
                    f"{path}.{word}",
                    value=", ".join(ends),
                    message=message,
                    fix=fix,
                    severity=view.production,
                )
        if sources and destinations and not sources & destinations:
            message = f"the ends share no IP family (IPv{min(sources)} and IPv{min(destinations)})"
            yield flaw(
                "ports.yaml", path, value=row.name, message=message, fix="give both ends addresses of one family"
            )


def _unwanted(site: Site, ends: tuple[str, ...]) -> bool:
    """Return whether an end is made of roles only, and of none whose feature is on."""
    return all(end in site.roles and not wanted(site, end) for end in ends)


def _versions(site: Site, ends: tuple[str, ...]) -> set[int]:
    hosts = {address.version for end in ends for machine in site.machines_at(end) for address in machine.own}
    return hosts | {network.version for end in ends for network in site.networks_at(end)}


def duplicate_row(view: LintView) -> Iterator[Finding]:
    """Find one flow declared by two rows."""
    seen: dict[object, Row] = {}
    for row in view.site.rows:
        ends = (row.plane, row.target, frozenset(row.source_ends), frozenset(row.destination_ends))
        pods = (frozenset(row.pod_from), frozenset(row.pod_to))
        key = (ends, pods, row.protocol, frozenset(row.intervals), row.when)
        if key in seen:
            message = f"declares the same flow as `{seen[key].name}`"
            yield flaw("ports.yaml", place(view.site, row), value=row.name, message=message, fix="keep one of them")
        seen.setdefault(key, row)


def unknown_condition(view: LintView) -> Iterator[Finding]:
    """Find conditions nothing can meet: their rows would never open."""
    features = DERIVED_FEATURES | {name for name in Features.model_fields if name != "livekit_rtc"}
    for row in view.site.rows:
        for word, given, known in (("feature", row.when.feature, features), ("cni", row.when.cni, CNI_WORDS)):
            for condition in given:
                if condition not in known:
                    path = f"{place(view.site, row)}.when.{word}"
                    fix = f"one of {', '.join(sorted(known))}"
                    yield flaw(
                        "ports.yaml", path, value=condition, message="no site can ever meet this condition", fix=fix
                    )


def row_plane(view: LintView) -> Iterator[Finding]:
    """Find rows whose ends do not belong on their plane."""
    for row in view.site.rows:
        ends = (*row.source_ends, *row.destination_ends)
        path = place(view.site, row)
        if (row.plane == "pod") != ("pods" in ends):
            fix = "`pods` on at least one end, and `plane: pod`"
            yield flaw(
                "ports.yaml", f"{path}.plane", value=row.plane, message=f"its ends are {', '.join(ends)}", fix=fix
            )
        if row.builtin and (row.intervals != ((BUILTIN_PORTS[row.builtin],) * 2,) or row.protocol != "udp"):
            fix = f"{BUILTIN_PORTS[row.builtin]}/udp"
            yield flaw(
                "ports.yaml",
                f"{path}.ports",
                value=row.ports,
                message=f"ufw's own {row.builtin} rule is another",
                fix=fix,
            )


def builtin_rows(view: LintView) -> Iterator[Finding]:
    """Find openings of ufw's own that no row declares."""
    declared = {row.builtin for row in view.site.active_rows}
    for name, port in BUILTIN_PORTS.items():
        if name not in declared:
            message = f"ufw opens {port}/udp by itself and no row says so: the firewall will report it"
            yield flaw("ports.yaml", "rows", value=name, message=message, fix=f"add a row with `builtin: {name}`")


def management_missing(view: LintView) -> Iterator[Finding]:
    """Find servers whose SSH the management networks may not reach by the matrix."""
    for machine in view.site.servers:
        ports = _ssh_ports(machine)
        open_to = [row for row in rows_to(view.site, machine) if "management" in row.source_ends]
        spans = [pair for row in open_to if row.protocol == "tcp" for pair in row.intervals]
        if not any(low <= port <= high for low, high in spans for port in ports):
            doors = " or ".join(f"{port}/tcp" for port in sorted(ports))
            message = f"no row lets the management networks reach its SSH ({doors})"
            idle = not any(wanted(view.site, role) for role in machine.roles)
            fix = "add a row from `management` to a role of the host, on that port"
            fix = "take the host out of hosts.yaml, or turn its role's feature on" if idle else fix
            yield flaw("ports.yaml", "rows", value=machine.name, message=message, fix=fix, host=machine.name)


def _ssh_ports(machine: Machine) -> frozenset[int]:
    """
    The port sshd listens on: known where the controller reaches the host itself; behind NAT the usual one counts too.
    """
    direct = machine.hostname in {str(address) for _, address in machine.every}
    return frozenset({machine.port} if direct else {machine.port, 22})


CHECKS = (
    Check(
        id="unreachable-row",
        why="A row that must be open between nobody can never be proven.",
        judge=unreachable_row,
    ),
    Check(id="row-duplicate", why="Two rows for one flow drift apart.", judge=duplicate_row),
    Check(
        id="row-condition",
        why="A misspelt condition closes a row for good.",
        judge=unknown_condition,
    ),
    Check(
        id="row-plane",
        why="Each plane is enforced and proven by other means.",
        judge=row_plane,
    ),
    Check(
        id="builtin-undeclared",
        severity=Severity.WARNING,
        why="What ufw opens by itself must not hide anything else.",
        judge=builtin_rows,
    ),
    Check(
        id="management-missing",
        why="The firewall would lock out the deployer.",
        judge=management_missing,
    ),
)
