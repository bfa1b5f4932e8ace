"""The flows that firewalls which are not ours must let through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import groupby

from model.base import Address, Network
from model.matrix.matrix import BROAD
from model.site.hosts import Machine
from model.site.rows import Row
from model.site.settings import External
from model.site.site import Site

OUTSIDE = "internet"
PERIMETER = "perimeter"


@dataclass(frozen=True, slots=True)
class RequestedFlow:
    """
    One rule to ask for. `sources` and `destinations` are addresses or networks within one network each; none means any.

    `translated` are the addresses behind an external one (NAT). `border` is perimeter, `border of <network>` for an
    isolated network, or `between networks`. `duration` is permanent or installation.
    """

    row: str
    border: str
    from_network: str
    to_network: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    translated: tuple[str, ...]
    ports: str
    protocol: str
    direction: str
    duration: str
    purpose: str


@dataclass(frozen=True, slots=True)
class _Place:
    """An address or network, and the site's network it lies in."""

    network: str
    cidr: Network


def flows(site: Site) -> tuple[RequestedFlow, ...]:
    """
    Return what crosses from one network into another, in the order of the matrix: the perimeter, isolated borders, the
    rest.
    """
    crossing = [flow for row in _rows(site) for flow in _flows(site, row)]
    return tuple(sorted(crossing, key=lambda flow: (flow.border != PERIMETER, flow.border == "between networks")))


def _rows(site: Site) -> Iterator[Row]:
    """Rows that hold during installation, when the most is open; what travels inside the overlay asks nobody."""
    settings = site.settings
    for row in site.rows:
        if row.plane != "pod" and not row.builtin and row.holds(settings.active, settings.cni.tags, install=True):
            yield row


def _flows(site: Site, row: Row) -> Iterator[RequestedFlow]:
    if row.target is not None:
        external = site.settings.external.get(row.target)
        if external is not None:
            yield from (_inbound(site, row, external, version) for version in _versions(external.addresses))
        return
    for source_network, sources in _by_network(site, row, row.source_ends, toward=False):
        for network, destinations in _by_network(site, row, row.destination_ends, toward=True):
            for version in (4, 6):
                ours = tuple(_text(place.cidr) for place in sources if place.cidr.version == version)
                theirs = tuple(_text(place.cidr) for place in destinations if place.cidr.version == version)
                if network != source_network and ours and theirs:
                    yield _flow(site, row, (source_network, ours), (network, theirs))


def _inbound(site: Site, row: Row, external: External, version: int) -> RequestedFlow:
    behind = [address for machine in site.targets(row) if (address := machine.speaks(version)) is not None]
    addresses = tuple(str(address) for address in external.addresses if address.version == version)
    translated = tuple(str(address) for address in behind if str(address) not in addresses)
    sources = tuple(_text(cidr) for end in row.source_ends for cidr in site.networks_at(end) if cidr.version == version)
    return _flow(site, row, (OUTSIDE, sources), (row.target or "", addresses), translated)


def _flow(
    site: Site,
    row: Row,
    source: tuple[str, tuple[str, ...]],
    destination: tuple[str, tuple[str, ...]],
    translated: tuple[str, ...] = (),
) -> RequestedFlow:
    installing = row.when.stage == "install" and site.settings.egress == "closed"
    return RequestedFlow(
        row=row.name,
        border=_border(site, source[0], destination[0]),
        from_network=source[0],
        to_network=destination[0],
        sources=source[1],
        destinations=destination[1],
        translated=translated,
        ports=", ".join(str(port) for port in row.ports),
        protocol=row.protocol if row.protocol != "vrrp" else "vrrp (IP 112)",
        direction=_direction(source[0], destination[0]),
        duration="installation" if installing else "permanent",
        purpose=row.why,
    )


def _border(site: Site, source: str, destination: str) -> str:
    if OUTSIDE in (source, destination):
        return PERIMETER
    apart = [name for name in (source, destination) if _isolated(site, name)]
    return f"border of {apart[0]}" if apart else "between networks"


def _direction(source: str, destination: str) -> str:
    if source == OUTSIDE:
        return "inbound"
    return "outbound" if destination == OUTSIDE else f"{source} to {destination}"


def _by_network(site: Site, row: Row, ends: tuple[str, ...], toward: bool) -> Iterator[tuple[str, tuple[_Place, ...]]]:
    """Return what the ends stand for, by the network it lies in; management reaches every address of a host."""
    managed = toward and "management" in row.source_ends
    places: list[_Place] = []
    for end in ends:
        for machine in site.machines_at(end):
            addresses = _at(machine, managed) + (_held(site, row, machine) if toward else ())
            places += [_Place(_network(site, ip_network(item)), ip_network(item)) for item in addresses]
        beyond = OUTSIDE if end in BROAD - {"admins"} else end
        places += [_Place(_network(site, cidr, beyond), cidr) for cidr in site.networks_at(end)]
    ordered = sorted(set(places), key=lambda place: (place.network, place.cidr.version, place.cidr))
    for network, members in groupby(ordered, key=lambda place: place.network):
        yield network, tuple(members)


def _at(machine: Machine, managed: bool) -> tuple[Address, ...]:
    return tuple(address for _, address in machine.every) if managed else machine.own


def _held(site: Site, row: Row, machine: Machine) -> tuple[Address, ...]:
    """The API endpoint's address moves between the control planes: rows of its port lead there too."""
    port = site.settings.kubernetes.endpoint.port
    return site.endpoint_addresses(machine) if any(low <= port <= high for low, high in row.intervals) else ()


def _network(site: Site, cidr: Network, beyond: str = OUTSIDE) -> str:
    """
    Name the site's network that holds the range; what none of them holds is `beyond`: the internet, or the end's own
    word.
    """
    for name, plan in site.settings.networks.items():
        # mypy cannot see that both are of one family behind the comparison.
        if any(cidr.version == own.version and cidr.subnet_of(own) for own in plan.cidrs):  # type: ignore[arg-type]
            return name
    return beyond


def _isolated(site: Site, name: str) -> bool:
    plan = site.settings.networks.get(name)
    return plan is not None and plan.isolated


def _versions(addresses: tuple[Address, ...]) -> tuple[int, ...]:
    return tuple(sorted({address.version for address in addresses}))


def _text(cidr: Network) -> str:
    if cidr.prefixlen == 0:
        return f"any IPv{cidr.version}"
    return str(cidr.network_address) if cidr.prefixlen == cidr.max_prefixlen else str(cidr)
