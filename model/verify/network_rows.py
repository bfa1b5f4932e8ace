"""
What is said of rows where no agent stands at an end: networks of people, the organisation's servers, an unwatched
internet?
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import ip_address

from model import bits
from model.base import Address, Network
from model.packets.netfilter import Packet, judge
from model.report.report import Cell
from model.site.hosts import Machine
from model.site.rows import Interval, Row
from model.site.site import Site
from model.verify.verification import Verification

PEOPLE = ("management", "admins", "clients", "li_clients")
SERVERS = ("dns_servers", "li_dns_servers", "ntp_servers")
BY_RULES = "no probe can come from there: judged by the kernel's rules alone"


def network_cells(verification: Verification, names: Collection[str]) -> Iterator[Cell]:
    """
    Yield, for rows from networks of people, what each host's rules do with a packet from there; evidence is null.

    A host whose witness gave no account vouches for nothing, its rules included.
    """
    for row in verification.site.active_rows:
        if row.plane != "host" or row.builtin:
            continue
        machines = [machine for end in row.destination_ends for machine in verification.site.machines_at(end)]
        for word in (end for end in row.source_ends if end in PEOPLE):
            for network in verification.site.networks_at(word):
                source = somebody(verification, network)
                for machine in machines:
                    if machine.name in names and source is not None:
                        yield from _cells(verification, row, word, source, machine)


def somebody(verification: Verification, network: Network) -> Address | None:
    """Return the first address of a network that is no declared host's; None where every one is."""
    known = {address for machine in verification.site.machines for _, address in machine.every}
    start, end = int(network.network_address), int(network.broadcast_address)
    for number in range(start + (end > start), min(end, start + len(known) + 2) + 1):
        address = type(network.network_address)(number)
        if address not in known:
            return ip_address(address)
    return None


def _cells(verification: Verification, row: Row, word: str, source: Address, machine: Machine) -> Iterator[Cell]:
    destination = machine.speaks(source.version)
    if destination is None:
        return
    for interval in row.intervals:
        verdict, seen, culprit = _ruled(verification, row, source, machine, destination, interval)
        yield Cell(
            source=word,
            destination=machine.name,
            address=str(destination),
            protocol=row.protocol,
            port_lo=interval[0],
            port_hi=interval[1],
            plane=row.plane,
            expected="open",
            seen=seen,
            verdict=verdict,
            culprit=culprit,
            rows=(row.name,),
            note=BY_RULES,
        )


def _ruled(
    verification: Verification, row: Row, source: Address, machine: Machine, destination: Address, interval: Interval
) -> tuple[str, str, str]:
    view = verification.views.get(machine.name)
    if view is None or machine.name not in verification.witnesses:
        return "unproven", "unknown", "witness"
    packet = Packet(source, destination, row.protocol, view.interfaces.get(str(destination)))
    ruled = judge(view.chains[source.version], "INPUT", packet)
    ports = bits.from_intervals([interval])
    if ports & ruled.refused:
        return "violation", "closed", "destination-firewall"
    return ("unproven", "unknown", "witness") if ports & ruled.uncertain else ("ok", "open", "")


def unwitnessed(site: Site, planes: Collection[str]) -> tuple[str, ...]:
    """
    Return the names of active external rows that nobody can witness.

    They lead to the organisation's own servers, or come from an internet where no vantage host stands.
    """
    if "external" not in planes:
        return ()
    return tuple(
        row.name
        for row in site.active_rows
        if row.plane == "external" and (set(SERVERS) & set(row.destination_ends) or not site.vantages)
    )
