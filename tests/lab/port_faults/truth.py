"""What plain connections meet: the cells that a fault could touch, asked of real sockets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.instance import Instance
from lab.topology import ROUTER, hosts_of
from model.checkout import ROOT
from tests.lab.port_faults import ends
from tests.lab.port_faults.fault import Fault

_PROGRAM = (sys.executable, "-m", "tests.lab.port_faults.ends")
# Where a host leads what it sends itself.
_LOOPBACK = ("127.0.0.1", "::1")
_OTHER = {"tcp": "udp", "udp": "tcp"}


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """One port of one cell: from a host to an address, behind which another host stands."""

    source: str
    destination: str
    address: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """What is expected of every address from every host, as the cells of the green run have it; and the hosts."""

    expected: Mapping[tuple[str, str, str, str], Sequence[tuple[int, int, str]]]

    def of(self, place: Place) -> str:
        """Return what is expected of a place: open or closed."""
        stretches = self.expected[place.source, place.destination, place.address, place.protocol]
        return next(expected for low, high, expected in stretches if low <= place.port <= high)

    def holds(self, place: Place) -> bool:
        """Return whether the site speaks of a place."""
        return (place.source, place.destination, place.address, place.protocol) in self.expected


def matrix(report: Mapping[str, Any], hosts: Iterable[str]) -> Matrix:
    """Return what a green run's cells expect between these hosts."""
    expected: dict[tuple[str, str, str, str], list[tuple[int, int, str]]] = {}
    for cell in report["cells"]:
        if {cell["from"], cell["to"]} <= set(hosts) and cell["protocol"] in _OTHER:
            key = (cell["from"], cell["to"], cell["address"], cell["protocol"])
            expected.setdefault(key, []).append((cell["port_lo"], cell["port_hi"], cell["expected"]))
    return Matrix(expected)


def touched(fault: Fault, declared: Matrix) -> list[Place]:
    """Return places at every boundary of the fault's ports, in both families, and one of the other protocol."""
    asked = [(fault.protocol, port) for port in fault.ports] + [(_OTHER[fault.protocol], fault.low)]
    return [
        Place(source, destination, address, protocol, port)
        for source, destination, address, spoken in declared.expected
        if _may_touch(fault, source, destination)
        for protocol, port in asked
        if protocol == spoken
    ]


def _may_touch(fault: Fault, source: str, destination: str) -> bool:
    if fault.host == ROUTER:
        return True
    return fault.host == (destination if fault.inward else source)


def meet(instance: Instance, places: Sequence[Place], declared: Matrix, extra: int) -> dict[Place, str]:
    """Ask plain sockets, and once more where nobody answered who should: a machine under load may be late."""
    met = answers(instance, places, extra)
    missed = [place for place, answer in met.items() if answer == ends.CLOSED and declared.of(place) == "open"]
    return met | (answers(instance, missed, extra) if missed else {})


def answers(instance: Instance, places: Sequence[Place], extra: int) -> dict[Place, str]:
    """Ask plain sockets; `extra` is one more port on which everybody listens."""
    own = {host.name: [str(a) for leg in host.legs for a in leg.addresses] for host in hosts_of("small")}
    ports = {(place.destination, place.protocol, place.port) for place in places}
    ports |= {(host, protocol, extra) for host in own if host != ROUTER for protocol in _OTHER if extra}
    listen = [
        (host, address, protocol, port)
        for host, protocol, port in sorted(ports)
        for address in (*own[host], *(_LOOPBACK if port == extra else ()))
    ]
    ordered = sorted(places)
    questions = [(place.source, place.address, place.protocol, place.port) for place in ordered]
    namespaces = {host: str(instance.namespace_path(host)) for host in own}
    text = ends.ask(namespaces, listen, questions)
    done = subprocess.run(_PROGRAM, cwd=ROOT, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip(ordered, json.loads(done.stdout), strict=True))
