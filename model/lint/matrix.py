"""Can every row of the port matrix be opened, and only once?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from model.hosts import Machine
from model.lint.finding import Flaw, Rule, View
from model.lint.roles import wanted
from model.matrix import rows_to
from model.rows import Row
from model.settings import Features
from model.site import Site

# What the kernel gives to outgoing connections unless told otherwise (net.ipv4.ip_local_port_range).
EPHEMERAL = (32768, 60999)
DERIVED_FEATURES = frozenset(
    {
        "federation",
        "endpoint_keepalived",
        "endpoint_organisation",
        "li_dns",
        "li_ntp",
        "livekit_udp_port",
        "livekit_port_range",
    }
)
CNI_WORDS = frozenset(
    name + mode for name in ("flannel", "calico", "cilium") for mode in ("", "-vxlan", "-bgp", "-wireguard", "-typha")
)
BUILTIN_PORTS = {"dhcp": 68, "dhcpv6": 546, "mdns": 5353, "upnp": 1900}


def place(site: Site, row: Row) -> str:
    """
    Return the path of a row within ports.yaml.
    """
    return f"rows.{site.rows.index(row)} ({row.name})"


def unreachable_row(view: View) -> Iterator[Flaw]:
    """Find rows that must be open though one of their ends is nobody, or the ends share no IP family."""
    site = view.site
    for row in site.active_rows:
        if row.plane == "pod" or row.builtin or row.target:
            continue
        sources, destinations = _versions(site, row.source_ends), _versions(site, row.destination_ends)
        path = place(site, row)
        if any(_unwanted(site, ends) for ends in (row.source_ends, row.destination_ends)):
            continue
        for word, ends, found in (("from", row.source_ends, sources), ("to", row.destination_ends, destinations)):
            if not found:
                message = "the row must be open, but nobody is at that end"
                fix = "add a host of the role, name the networks in site.yaml, or turn the feature off"
                yield Flaw("ports.yaml", f"{path}.{word}", ", ".join(ends), message, fix, severity=view.production)
        if sources and destinations and not sources & destinations:
            message = f"the ends share no IP family (IPv{min(sources)} and IPv{min(destinations)})"
            yield Flaw("ports.yaml", path, row.name, message, "give both ends addresses of one family")


def _unwanted(site: Site, ends: tuple[str, ...]) -> bool:
    """Tell whether an end is made of roles only, and of none whose feature is on."""
    return all(end in site.roles and not wanted(site, end) for end in ends)


def _versions(site: Site, ends: tuple[str, ...]) -> set[int]:
    hosts = {address.version for end in ends for machine in site.machines_at(end) for address in machine.own}
    return hosts | {network.version for end in ends for network in site.networks_at(end)}


def port_clash(view: View) -> Iterator[Flaw]:
    """Find hosts on which two services of different owners must listen on one port."""
    for machine in view.site.servers:
        for one, two in combinations(rows_to(view.site, machine), 2):
            shared = _shared(one, two)
            if shared and one.process and two.process and not set(one.process) & set(two.process):
                low, high = shared
                message = f"`{one.name}` ({one.process[0]}) and `{two.name}` ({two.process[0]}) both need it"
                span = f"{low}-{high}/{two.protocol}" if high > low else f"{low}/{two.protocol}"
                fix = "put them on different hosts, or narrow one row's ports"
                yield Flaw("ports.yaml", place(view.site, two), span, f"{machine.name}: {message}", fix, machine.name)


def _shared(one: Row, two: Row) -> tuple[int, int] | None:
    if one.protocol != two.protocol:
        return None
    for left in one.intervals:
        for right in two.intervals:
            low, high = max(left[0], right[0]), min(left[1], right[1])
            if low <= high:
                return low, high
    return None


def ephemeral(view: View) -> Iterator[Flaw]:
    """Find ranges of listeners among the ports the kernel hands to outgoing connections."""
    hosts: dict[str, list[str]] = defaultdict(list)
    for machine in view.site.servers:
        for row in rows_to(view.site, machine):
            hosts[row.name].append(machine.name)
    for row in view.site.active_rows:
        low, high = max(((0, 0), *row.intervals), key=lambda pair: pair[1] - pair[0])
        if row.name in hosts and high > low and low <= EPHEMERAL[1] and high >= EPHEMERAL[0]:
            message = f"overlaps the ephemeral ports {EPHEMERAL[0]}-{EPHEMERAL[1]} of {', '.join(hosts[row.name])}"
            fix = "reserve the range there (net.ipv4.ip_local_reserved_ports)"
            yield Flaw("ports.yaml", place(view.site, row), f"{low}-{high}/{row.protocol}", message, fix)


def livekit_mode(view: View) -> Iterator[Flaw]:
    """Find media rows of LiveKit that do not follow its one RTC mode: a single port, or a range."""
    site = view.site
    rows = [row for row in site.active_rows if row.plane == "external" and "livekit-server" in row.process]
    media = [row for row in rows if row.protocol == "udp"]
    ranged = {low < high for row in media for low, high in row.intervals}
    if not site.settings.features.livekit:
        return
    chosen = site.settings.features.livekit_rtc
    if ranged != {chosen == "port_range"}:
        shown = ", ".join(f"{row.name} {row.ports[0]}" for row in media) or "none"
        message = f"the media rows do not fit livekit_rtc `{chosen}`; LiveKit has either one port or one range"
        fix = "one row `when: {feature: [livekit_udp_port]}`, one `when: {feature: [livekit_port_range]}`"
        yield Flaw("ports.yaml", "rows (livekit media)", shown, message, fix)


def duplicate_row(view: View) -> Iterator[Flaw]:
    """Find one flow declared by two rows."""
    seen: dict[object, Row] = {}
    for row in view.site.rows:
        ends = (row.plane, row.target, frozenset(row.source_ends), frozenset(row.destination_ends))
        pods = (frozenset(row.pod_from), frozenset(row.pod_to))
        key = (ends, pods, row.protocol, frozenset(row.intervals), row.when)
        if key in seen:
            message = f"declares the same flow as `{seen[key].name}`"
            yield Flaw("ports.yaml", place(view.site, row), row.name, message, "keep one of them")
        seen.setdefault(key, row)


def unknown_condition(view: View) -> Iterator[Flaw]:
    """Find conditions nothing can meet: their rows would never open."""
    features = DERIVED_FEATURES | {name for name in Features.model_fields if name != "livekit_rtc"}
    for row in view.site.rows:
        for word, given, known in (("feature", row.when.feature, features), ("cni", row.when.cni, CNI_WORDS)):
            for condition in given:
                if condition not in known:
                    path = f"{place(view.site, row)}.when.{word}"
                    fix = f"one of {', '.join(sorted(known))}"
                    yield Flaw("ports.yaml", path, condition, "no site can ever meet this condition", fix)


def row_plane(view: View) -> Iterator[Flaw]:
    """Find rows whose ends do not belong on their plane."""
    for row in view.site.rows:
        ends = (*row.source_ends, *row.destination_ends)
        path = place(view.site, row)
        if (row.plane == "pod") != ("pods" in ends):
            fix = "`pods` on at least one end, and `plane: pod`"
            yield Flaw("ports.yaml", f"{path}.plane", row.plane, f"its ends are {', '.join(ends)}", fix)
        if row.builtin and (row.intervals != ((BUILTIN_PORTS[row.builtin],) * 2,) or row.protocol != "udp"):
            fix = f"{BUILTIN_PORTS[row.builtin]}/udp"
            yield Flaw("ports.yaml", f"{path}.ports", row.ports, f"ufw's own {row.builtin} rule is another", fix)


def builtin_rows(view: View) -> Iterator[Flaw]:
    """Find openings of ufw's own that no row declares."""
    declared = {row.builtin for row in view.site.active_rows}
    for name, port in BUILTIN_PORTS.items():
        if name not in declared:
            message = f"ufw opens {port}/udp by itself and no row says so: the firewall will report it"
            yield Flaw("ports.yaml", "rows", name, message, f"add a row with `builtin: {name}`")


def management_missing(view: View) -> Iterator[Flaw]:
    """Find servers whose SSH the management networks may not reach by the matrix."""
    for machine in view.site.servers:
        ports = _ssh_ports(machine)
        open_to = [row for row in rows_to(view.site, machine) if "management" in row.source_ends]
        spans = [pair for row in open_to if row.protocol == "tcp" for pair in row.intervals]
        if not any(low <= port <= high for low, high in spans for port in ports):
            doors = " or ".join(f"{port}/tcp" for port in sorted(ports))
            message = f"no row lets the management networks reach its SSH ({doors})"
            fix = f"a row from management to one of {', '.join(machine.roles)}"
            yield Flaw("ports.yaml", "rows", machine.name, message, fix, machine.name)


def _ssh_ports(machine: Machine) -> frozenset[int]:
    """The port sshd listens on: known where the controller reaches the host itself; behind NAT the usual one counts too."""
    direct = machine.hostname in {str(address) for _, address in machine.every}
    return frozenset({machine.port} if direct else {machine.port, 22})


RULES = (
    Rule("unreachable-row", "error", "A row that must be open between nobody can never be proven.", unreachable_row),
    Rule("port-clash", "error", "Only one service can listen on a port of a host.", port_clash),
    Rule("port-ephemeral", "warning", "An outgoing connection can take a port before its service does.", ephemeral),
    Rule("livekit-rtc-mode", "error", "LiveKit takes one UDP port or a range, never both.", livekit_mode),
    Rule("row-duplicate", "error", "Two rows for one flow drift apart.", duplicate_row),
    Rule("row-condition", "error", "A misspelt condition closes a row for good.", unknown_condition),
    Rule("row-plane", "error", "Each plane is enforced and proven by other means.", row_plane),
    Rule("builtin-undeclared", "warning", "What ufw opens by itself must not hide anything else.", builtin_rows),
    Rule("management-missing", "error", "The firewall would lock out the deployer.", management_missing),
)
