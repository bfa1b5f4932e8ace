"""The hosts of each profile, and their addresses: pure data, the same on every machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from lab.errors import LabError


@dataclass(frozen=True, slots=True)
class LabNetwork:
    """One network of the lab, with the router's leg always at number 1."""

    name: str
    ipv4: IPv4Network
    ipv6: IPv6Network

    def at(self, number: int) -> tuple[IPv4Address, IPv6Address]:
        """Return the addresses with this last number; IPv6 shows the same decimal digits."""
        return self.ipv4[number], self.ipv6[int(str(number), 16)]


def _network(name: str, ipv4: str, ipv6: str) -> LabNetwork:
    return LabNetwork(name, IPv4Network(ipv4), IPv6Network(ipv6))


MANAGEMENT = _network("management", "10.20.0.0/24", "fd20::/64")
MAIN = _network("main", "10.20.1.0/24", "fd20:1::/64")
LI = _network("li", "10.20.2.0/24", "fd20:2::/64")
INTERNET = _network("internet", "198.51.100.0/24", "2001:db8:100::/64")
NETWORKS = {network.name: network for network in (MANAGEMENT, MAIN, LI, INTERNET)}
ROUTER_NUMBER = 1
CONTROLLER_NUMBER = 10
ROUTER = "router-1"
VANTAGE = "vantage-1"


@dataclass(frozen=True, slots=True)
class Leg:
    """One interface of a host: eth0 is its first leg, eth1 the next."""

    network: str
    number: int

    @property
    def addresses(self) -> tuple[IPv4Address, IPv6Address]:
        """IPv4 first."""
        return NETWORKS[self.network].at(self.number)


@dataclass(frozen=True, slots=True)
class LabHost:
    """One Debian system. `reached` is the network whose address the controller uses."""

    name: str
    roles: tuple[str, ...]
    legs: tuple[Leg, ...]
    reached: str

    @property
    def serves_the_site(self) -> bool:
        """Whether it is one of the site's servers, not the organisation's router nor the host outside."""
        return self.name not in (ROUTER, VANTAGE)

    @property
    def hostname(self) -> str:
        """Address the controller reaches it at."""
        return str(next(leg.addresses[0] for leg in self.legs if leg.network == self.reached))


def _host(name: str, roles: tuple[str, ...], network: str, number: int) -> LabHost:
    return LabHost(name, roles, (Leg(network, number),), network)


def _worker(number: int) -> LabHost:
    # .30 and on belongs to other roles.
    return _host(f"w-{number}", ("worker",), "main", 20 + number if number < 10 else 50 + number)


def _database(number: int) -> LabHost:
    legs = (Leg("main", 30 + number),)
    if number == 1:
        return LabHost("db-1", ("database",), (*legs, Leg("management", 31)), "management")
    return LabHost(f"db-{number}", ("database",), legs, "main")


_CONTROL_PLANES = tuple(_host(f"cp-{number}", ("control_plane",), "main", 10 + number) for number in (1, 2, 3))
_STORAGE = tuple(
    _host(f"st-{number}", ("storage", "worker") if number == 1 else ("storage",), "main", 40 + number)
    for number in (1, 2, 3, 4)
)
_CALL = tuple(_host(f"call-{number}", ("call",), "main", 50 + number) for number in (1, 2))
_LI = (_host("li-1", ("li",), "li", 11),)
_MONITORING = (_host("mon-1", ("monitoring",), "main", 55),)
_BOUNDARY = (
    LabHost(ROUTER, ("perimeter",), tuple(Leg(name, ROUTER_NUMBER) for name in NETWORKS), "main"),
    _host(VANTAGE, ("vantage",), "internet", 200),
)

_REFERENCE_SERVERS = 17
_MOST_SERVERS = 110
_FIRST_ADDED = 150


def hosts_of(profile: str) -> tuple[LabHost, ...]:
    """
    Return the hosts of `small`, `matrix`, `reference` or a number of servers, in the order of the inventory.

    Raises LabError for anything else.
    """
    if profile == "small":
        return (*_CONTROL_PLANES, _worker(1), _database(1), *_LI, *_BOUNDARY)
    if profile not in ("matrix", "reference") and not re.fullmatch(r"\d{1,3}", profile):
        raise LabError(
            f"profile {profile!r}: one of small, matrix, reference, or a number of servers from {_REFERENCE_SERVERS}"
        )
    servers = int(profile) if profile.isdigit() else _REFERENCE_SERVERS
    if not _REFERENCE_SERVERS <= servers <= _MOST_SERVERS:
        raise LabError(f"profile {profile}: the lab has room for {_REFERENCE_SERVERS} to {_MOST_SERVERS} servers")
    workers = tuple(_worker(number) for number in range(1, servers - _REFERENCE_SERVERS + 4))
    databases = tuple(_database(number) for number in (1, 2, 3))
    call = _CALL[:1] if profile == "matrix" else _CALL
    return (*_CONTROL_PLANES, *workers, *databases, *_STORAGE, *call, *_LI, *_MONITORING, *_BOUNDARY)


def added_host(name: str, role: str, network: str, present: tuple[LabHost, ...]) -> LabHost:
    """
    Return one more host of a role that lives in `network`, at the next free number.

    Raises LabError when the name is taken or would not fit into an interface's name.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", name):
        raise LabError(f"host {name!r}: 2 to 10 of a-z, 0-9 and -, a letter first")
    if any(host.name == name for host in present):
        raise LabError(f"host {name}: the lab has one of this name already")
    taken = {leg.number for host in present for leg in host.legs if leg.network == network}
    number = next((number for number in range(_FIRST_ADDED, 200) if number not in taken), None)
    if number is None:
        raise LabError(f"host {name}: no address is left in the network {network}")
    return _host(name, (role,), network, number)


def controller_addresses() -> tuple[IPv4Address, IPv6Address]:
    """Return where the controller is: on the management network and nowhere else."""
    return MANAGEMENT.at(CONTROLLER_NUMBER)
