"""
For each row that crosses the perimeter: what is declared, what the device is configured to do, what packets witnessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from model import bits
from model.base import Address
from model.packets.port_ranges import ranges
from model.report.outcome import Outcome, Status
from model.report.report import Cell
from model.report.words import Plane
from model.site.rows import Interval, Row
from model.site.site import Site
from model.verify.pairs import EVERY_PORT, PROTOCOLS, Pair, pairs
from model.verify.perimeter import DeviceFlow, PerimeterDevice, destinations, flow

SUBJECT = "perimeter"
_SHOWN = 6
NEXT = "show the request to the organisation's firewall team and this line to who runs the device"


class Flows:
    """What the device does with every flow asked for, each followed once; without a device nothing is known."""

    def __init__(self, perimeter: PerimeterDevice | None) -> None:
        self.perimeter = perimeter
        self._known: dict[tuple[Address | None, Address, str], DeviceFlow] = {}

    def of(self, source: Address | None, destination: Address, protocol: str) -> DeviceFlow:
        """Return what becomes of the flow; all unknown without a device."""
        if self.perimeter is None:
            return DeviceFlow(0, 0, bits.from_intervals([(0, 65535)]), ())
        key = (source, destination, protocol)
        if key not in self._known:
            self._known[key] = flow(self.perimeter, *key)
        return self._known[key]


def perimeter_rows(site: Site, perimeter: PerimeterDevice | None, cells: Iterable[Cell]) -> list[dict[str, str]]:
    """
    Return a line for every external row, active or not, at every address it is about and for each of its intervals.

    Keys: row, address, port ("443" or "49152-65535"), protocol, declared (open, closed, partly), configured (open,
    closed, partly, unknown), witnessed (open, closed, mixed, unknown). Inactive rows are declared closed where no other
    row opens the same ports.
    """
    flows = Flows(perimeter)
    crossing = pairs(site, (Plane.EXTERNAL,))
    seen = [cell for cell in cells if cell.plane == Plane.EXTERNAL]
    lines = []
    for row in site.rows:
        if row.plane != "external":
            continue
        by_address: dict[Address, list[Pair]] = {}
        for pair in crossing:
            if _concerns(site, row, pair):
                by_address.setdefault(pair.address, []).append(pair)
        for address, chosen in by_address.items():
            lines += [_line(row, address, interval, chosen, flows, seen) for interval in row.intervals]
    return lines


def perimeter_outcomes(
    site: Site, perimeter: PerimeterDevice, lines: Sequence[Mapping[str, str]], seconds: float = 0.0
) -> tuple[Outcome, ...]:
    """
    Return the device's one outcome: ok, or drift with a line for each way in which its rules leave the matrix.

    Looked at are the rows, every port that the internet is let through to though no row says so, DNAT to another host
    than the site names, and the flows across internal borders. What its rules leave unknown is no drift: packets are
    the proof.
    """
    device = site.settings.perimeter.device or "perimeter"
    flows = Flows(perimeter)
    leaving = [
        f"{line['row']}: {line['address']} {line['port']}/{line['protocol']} is declared {line['declared']}, "
        f"the device is configured {line['configured']}"
        for line in lines
        if "unknown" not in (line["configured"], line["declared"]) and line["configured"] != line["declared"]
    ]
    leaving += [*_undeclared(site, perimeter, flows), *_elsewhere(site, flows), *_borders(site, perimeter, flows)]
    unknown = sum(line["configured"] == "unknown" for line in lines)
    if leaving:
        message = _summed(leaving)
        return (Outcome(device, SUBJECT, Status.DRIFT, message, next=NEXT, evidence=leaving, seconds=seconds),)
    message = f"the device's rules are as declared in {len(lines) - unknown} places"
    rest = f"; {unknown} could not be judged by its rules" if unknown else ""
    return (Outcome(device, SUBJECT, Status.OK, message + rest, next="", evidence=None, seconds=seconds),)


def _concerns(site: Site, row: Row, pair: Pair) -> bool:
    if row.target is not None:
        return pair.external == row.target
    outbound = not pair.external and "internet" in row.destination_ends
    return outbound and any(machine.name == pair.source for end in row.source_ends for machine in site.machines_at(end))


def _line(
    row: Row, address: Address, interval: Interval, chosen: Sequence[Pair], flows: Flows, cells: Sequence[Cell]
) -> dict[str, str]:
    protocol = row.protocol
    ports = bits.from_intervals([interval])
    declared = {_part(pair.open(protocol), ports) for pair in chosen}
    configured: set[str] = {flows.of(pair.source_address, address, protocol).word(interval) for pair in chosen}
    sources = {pair.source for pair in chosen}
    seen: set[str] = {cell.seen for cell in cells if _beside(cell, sources, address, protocol, interval)}
    low, high = interval
    return {
        "row": row.name,
        "address": str(address),
        "port": str(low) if low == high else f"{low}-{high}",
        "protocol": protocol,
        "declared": _agreed(declared, "partly"),
        "configured": "unknown" if "unknown" in configured else _agreed(configured, "partly"),
        "witnessed": _agreed(seen, "mixed") if seen else "unknown",
    }


def _beside(cell: Cell, sources: set[str], address: Address, protocol: str, interval: Interval) -> bool:
    mine = cell.source in sources and cell.address == str(address) and cell.protocol == protocol
    return mine and cell.port_lo <= interval[1] and interval[0] <= cell.port_hi


def _part(opened: int, ports: int) -> str:
    return "closed" if not opened & ports else "open" if opened & ports == ports else "partly"


def _agreed(words: set[str], otherwise: str) -> str:
    return next(iter(words)) if len(words) == 1 else otherwise


def _undeclared(site: Site, perimeter: PerimeterDevice, flows: Flows) -> Iterator[str]:
    """Ports the internet is let through to, at external addresses, others that are translated, and the servers' own."""
    external = {address: name for name, plan in site.settings.external.items() for address in plan.addresses}
    servers = [address for machine in site.servers for _, address in machine.every]
    translated = [*destinations(perimeter, 4), *destinations(perimeter, 6)]
    for address in dict.fromkeys([*external, *translated, *servers]):
        source = _outsider(site, address)
        for protocol in PROTOCOLS:
            reached = flows.of(source, address, protocol)
            rows = [row for row in site.active_rows if row.protocol == protocol and _admits(row, external.get(address))]
            declared = bits.from_intervals(interval for row in rows for interval in row.intervals)
            more = reached.open & ~reached.local & EVERY_PORT & ~declared
            if more:
                where = ", ".join(str(target) for target, ports in reached.targets if ports & more)
                yield f"{address} {_ports(more)}/{protocol} is let through from the internet to {where}; no row says so"


def _admits(row: Row, name: str | None) -> bool:
    return name is not None and row.target == name and "internet" in row.source_ends


def _outsider(site: Site, address: Address) -> Address | None:
    """An address on the internet's side; None stands for anybody."""
    return next((own for vantage in site.vantages for own in vantage.own if own.version == address.version), None)


def _elsewhere(site: Site, flows: Flows) -> Iterator[str]:
    """Declared ports that are led to another host than the site names."""
    for pair in pairs(site, (Plane.EXTERNAL,)):
        if not pair.external:
            continue
        names = site.settings.external[pair.external].targets
        rightful = {address for name in names for _, address in site.by_name[name].every}
        for protocol in PROTOCOLS:
            for target, ports in flows.of(pair.source_address, pair.address, protocol).targets:
                wrong = ports & pair.open(protocol) if target not in rightful else 0
                if wrong:
                    right = ", ".join(names)
                    yield f"{pair.address} {_ports(wrong)}/{protocol} leads to {target}; the site names {right}"


def _borders(site: Site, perimeter: PerimeterDevice, flows: Flows) -> Iterator[str]:
    """Flows between the site's own networks, where the device stands between the two ends."""
    crossing: dict[str, list[str]] = {}
    for pair in pairs(site, (Plane.HOST,)):
        ends = perimeter.interface(pair.source_address), perimeter.interface(pair.address)
        if not pair.border or None in ends or ends[0] == ends[1]:
            continue
        for protocol in PROTOCOLS:
            through = flows.of(pair.source_address, pair.address, protocol)
            opened = pair.open(protocol)
            for what, ports in (
                ("is let through, no row says so", through.open & EVERY_PORT & ~opened),
                ("is declared open, the device drops it", through.closed & opened),
            ):
                if ports:
                    crossing.setdefault(f"{_ports(ports)}/{protocol} {what}", []).append(
                        f"{pair.source} to {pair.address}"
                    )
    for what, flows_shown in crossing.items():
        shown = ", ".join(flows_shown[:4]) + (f" and {len(flows_shown) - 4} more" if len(flows_shown) > 4 else "")
        yield f"{what}: {shown}"


def _ports(ports: int) -> str:
    more = len(bits.to_intervals(ports)) - _SHOWN
    return ranges(ports, _SHOWN) + (f" and {more} more stretches" if more > 0 else "")


def _summed(lines: Sequence[str]) -> str:
    more = f"; and {len(lines) - 1} more in the report" if len(lines) > 1 else ""
    return f"the device's rules and the matrix disagree: {lines[0]}{more}"
