"""
The cells of rows where no agent stands at an end: networks of people, the organisation's servers, an unwatched
internet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import ip_address

from model import bits
from model.base import Address, Network
from model.packets.packet import Packet
from model.packets.passage import judge
from model.report.report import Cell
from model.report.words import CellVerdict, Culprit, Plane, PortState
from model.site.hosts import Machine
from model.site.rows import Interval, Row
from model.site.site import Site
from model.verify.facts import FleetFacts

PEOPLE = ("management", "admins", "clients", "li_clients")
SERVERS = ("dns_servers", "li_dns_servers", "ntp_servers")
BY_RULES = "no probe can come from there: judged by the kernel's rules alone"


def network_cells(facts: FleetFacts, names: Collection[str]) -> Iterator[Cell]:
    """
    Yield, for rows from networks of people, what each host's rules do with a packet from there; evidence is null.

    A host whose witness left no record vouches for nothing, its rules included.
    """
    for row in facts.site.active_rows:
        if row.plane != "host" or row.builtin:
            continue
        machines = [machine for end in row.destination_ends for machine in facts.site.machines_at(end)]
        for word in (end for end in row.source_ends if end in PEOPLE):
            for network in facts.site.networks_at(word):
                source = somebody(facts, network)
                for machine in machines:
                    if machine.name in names and source is not None:
                        yield from _cells(facts, row, word, source, machine)


def somebody(facts: FleetFacts, network: Network) -> Address | None:
    """Return the first address of a network that is no declared host's; None where every one is."""
    known = {address for machine in facts.site.machines for _, address in machine.every}
    start, end = int(network.network_address), int(network.broadcast_address)
    for number in range(start + (end > start), min(end, start + len(known) + 2) + 1):
        address = type(network.network_address)(number)
        if address not in known:
            return ip_address(address)
    return None


def _cells(facts: FleetFacts, row: Row, word: str, source: Address, machine: Machine) -> Iterator[Cell]:
    destination = machine.speaks(source.version)
    if destination is None:
        return
    for interval in row.intervals:
        verdict, seen, culprit = _ruled(facts, row, source, machine, destination, interval)
        yield Cell(
            source=word,
            destination=machine.name,
            address=str(destination),
            protocol=row.protocol,
            port_lo=interval[0],
            port_hi=interval[1],
            plane=Plane(row.plane),
            expected=PortState.OPEN,
            seen=seen,
            verdict=verdict,
            culprit=culprit,
            rows=(row.name,),
            note=BY_RULES,
        )


def _ruled(
    facts: FleetFacts, row: Row, source: Address, machine: Machine, destination: Address, interval: Interval
) -> tuple[CellVerdict, PortState, Culprit]:
    view = facts.views.get(machine.name)
    if view is None or machine.name not in facts.witnesses:
        return CellVerdict.UNPROVEN, PortState.UNKNOWN, Culprit.WITNESS
    packet = Packet(source, destination, row.protocol, view.interfaces.get(str(destination)))
    ruled = judge(view.kernel, "in", packet, machine.own)
    ports = bits.from_intervals([interval])
    if ports & ruled.refused:
        return CellVerdict.VIOLATION, PortState.CLOSED, Culprit.DESTINATION_FIREWALL
    if ports & ruled.uncertain:
        return CellVerdict.UNPROVEN, PortState.UNKNOWN, Culprit.WITNESS
    if ports & ~ruled.admitted:
        return CellVerdict.VIOLATION, PortState.CLOSED, Culprit.NAT
    return CellVerdict.OK, PortState.OPEN, Culprit.NONE


def unwitnessed(site: Site, planes: Collection[str]) -> tuple[str, ...]:
    """
    Return the names of active external rows that nobody can witness.

    They lead to the organisation's own servers, or come from an internet where no vantage host stands.
    """
    if Plane.EXTERNAL not in planes:
        return ()
    return tuple(
        row.name
        for row in site.active_rows
        if row.plane == "external" and (set(SERVERS) & set(row.destination_ends) or not site.vantages)
    )
