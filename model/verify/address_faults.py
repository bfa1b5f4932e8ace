"""Addresses that are not where the site has them: a host lacks its own, or two hosts have the same."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from model.host.hostview import HostView
from model.report.outcome import Outcome, Status
from model.report.words import CellVerdict, Culprit, PortState
from model.site.hosts import Machine
from model.site.site import Site
from model.verify.classes import Classification, PortClasses, move
from model.verify.evidence import StreamEvidence
from model.verify.pairs import Pair

SUBJECT = "addresses"
# By these words of a note the next step is known.
ABSENT, TWICE = "does not have its address", "as well"
_NOWHERE = frozenset({Culprit.PATH, Culprit.DESTINATION_FIREWALL, Culprit.NAT})
_ASTRAY = frozenset({Culprit.PATH, Culprit.NAT})
_BLAMED = re.compile(rf"(?:^|: )(\S+) {ABSENT} |(?:^|: )(\S+(?:, \S+)*) (?:has|answers for) \S+ address \S+ {TWICE}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFault:
    """
    Why packets of a pair cannot come to what the site means by its addresses: `note` is what a person reads, `instead`
    are the culprits that would be named without it.
    """

    culprit: Culprit
    note: str
    instead: frozenset[Culprit]


@dataclass(frozen=True)
class AddressFaults:
    """
    Which addresses the hosts that were looked at have, beside those that the site says they have; `taken`: by address,
    the hosts that took packets for it that came to nobody else.
    """

    site: Site
    views: Mapping[str, HostView]
    taken: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, pair: Pair) -> AddressFault | None:
        """Return what is wrong with a pair's addresses."""
        source, address = str(pair.source_address), str(pair.address)
        if self.lacks(pair.source, source):
            note = self._absent(pair.source, source)
            return AddressFault(culprit=Culprit.SOURCE, note=note, instead=frozenset({Culprit.SOURCE}))
        if not pair.external and self.lacks(pair.destination, address):
            note = self._absent(pair.destination, address)
            return AddressFault(culprit=Culprit.MODEL, note=note, instead=_NOWHERE)
        if not pair.external and (fault := self._twice(pair.destination, address, _ASTRAY)):
            return fault
        # Answers may go to the other host, which itself takes nothing that comes from an address of its own.
        refused = {Culprit.DESTINATION_FIREWALL} if source in self.foreign(pair.destination) else set()
        return self._twice(pair.source, source, frozenset({Culprit.LISTENER, *refused}))

    def _twice(self, host: str, address: str, instead: frozenset[Culprit]) -> AddressFault | None:
        if address not in self._own.get(host, ()):
            return None
        having, answering = frozenset(self._elsewhere.get(address, {})), self.taken.get(address, frozenset())
        for does, holders in (("has", having), ("answers for", answering)):
            if others := sorted(holders - {host}):
                note = f"{', '.join(others)} {does} {host}'s address {address} {TWICE}"
                return AddressFault(culprit=Culprit.NAT, note=note, instead=instead)
        return None

    def lacks(self, host: str, address: str) -> bool:
        """Return whether a host that was looked at does not have an address that the site says it has."""
        view = self.views.get(host)
        there = view.interfaces if view else {}
        return bool(there) and address in self._own.get(host, ()) and address not in there

    def foreign(self, host: str) -> frozenset[str]:
        """Return the addresses of other hosts that a host has as well."""
        return frozenset(address for address, holders in self._elsewhere.items() if host in holders)

    def outcomes(self, names: Collection[str]) -> Iterator[Outcome]:
        """Yield what is wrong with the addresses of the named hosts, one outcome a host."""
        for name in names:
            absent = [address for address in self._own.get(name, ()) if self.lacks(name, address)]
            if absent:
                step = "see `ip addr` there, and hosts.yaml"
                if self._without_ipv6(name):
                    step = "see `sysctl net.ipv6.conf.all.disable_ipv6` there, and who sets it in /etc/sysctl.d"
                yield Outcome(name, SUBJECT, Status.DRIFT, self._absent(name, *absent), next=step)
            for address in sorted(self.foreign(name)):
                owner, link = self._owners[address], self._elsewhere[address][name]
                message = f"has {address}, which is {owner}'s address: packets for {owner} may come here"
                step = f"find what set it on {name} and stop that, then `ip addr del {address}/LENGTH dev {link}` there"
                yield Outcome(name, SUBJECT, Status.DRIFT, message, next=step)
            for address in sorted(self._answered_by(name)):
                message = (
                    f"takes packets for {address}, which is {self._owners[address]}'s address, without having it: "
                    "it answers for that address on the network"
                )
                step = (
                    f"see on {name} `ip neigh show proxy`, `sysctl net.ipv4.conf.all.proxy_arp` and what announces "
                    f"{address} there, and stop that"
                )
                yield Outcome(name, SUBJECT, Status.DRIFT, message, next=step)

    def _answered_by(self, host: str) -> Iterator[str]:
        """Yield the addresses of others that a host answers for and does not have; where one has it, that is told."""
        for address, holders in self.taken.items():
            if host in holders and self._owners.get(address, host) != host and address not in self._elsewhere:
                yield address

    def _absent(self, host: str, *addresses: str) -> str:
        why = ": it has no IPv6 address at all" if ":" in addresses[0] and self._without_ipv6(host) else ""
        return f"{host} {ABSENT} {', '.join(addresses)}{why}"

    def _without_ipv6(self, host: str) -> bool:
        return not any(":" in address and address != "::1" for address in self.views[host].interfaces)

    @cached_property
    def _own(self) -> dict[str, tuple[str, ...]]:
        return {machine.name: _addresses(machine) for machine in self.site.machines if machine.kind != "perimeter"}

    @cached_property
    def _owners(self) -> dict[str, str]:
        return {address: name for name, addresses in self._own.items() for address in addresses}

    @cached_property
    def _elsewhere(self) -> dict[str, dict[str, str]]:
        """By address, the hosts that have it though it is another's, with the interface."""
        found: dict[str, dict[str, str]] = {}
        for name, view in self.views.items():
            for address, link in view.interfaces.items():
                if self._owners.get(address, name) != name:
                    found.setdefault(address, {})[name] = link
        return found


def blamed(note: str) -> tuple[str, ...]:
    """Return the hosts of which an outcome tells what a cell's note tells; none where it tells nothing of addresses."""
    found = _BLAMED.search(note)
    return tuple((found[1] or found[2]).split(", ")) if found else ()


def _addresses(machine: Machine) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(address) for _, address in machine.every))


def classify_misplaced(classes: PortClasses, evidence: StreamEvidence, fault: AddressFault | None) -> None:
    """Blame the address for what did not come through because of it; what was answered stays what it is."""
    for told, held in list(classes.items()) if fault else ():
        if fault is None or told.verdict is CellVerdict.OK or told.culprit not in fault.instead:
            continue
        broken = told.verdict is CellVerdict.VIOLATION and told.expected is PortState.OPEN
        verdict, seen = (
            (CellVerdict.VIOLATION, PortState.CLOSED) if broken else (CellVerdict.UNPROVEN, PortState.UNKNOWN)
        )
        note = f"{told.note}: {fault.note}" if told.culprit is Culprit.NAT and told.note else fault.note
        move(classes, held & ~evidence.replied, Classification(told.expected, seen, verdict, fault.culprit, note))
        if told.culprit is fault.culprit:
            move(classes, held & evidence.replied, replace(told, note=note))
