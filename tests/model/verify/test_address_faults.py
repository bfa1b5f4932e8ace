"""An address that is not where the site has it is blamed itself, and not a firewall or a path that did nothing."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from model.host.hostview import HostView
from model.verify.address_faults import AddressFaults, blamed
from model.verify.evidence import StreamEvidence, join
from model.verify.facts import FleetFacts, StreamFacts
from model.verify.pairs import Pair, pairs
from model.verify.probing import AgentRecords
from model.verify.resend import confirmed, missing
from model.verify.verdicts import classify
from tests.model.verify.simulation import reference
from tests.model.verify.test_evidence import joined, sent
from tests.model.verify.test_evidence import pair as pair_of
from tests.model.verify.test_evidence import seen as seen_at
from tests.model.verify.test_verdicts import BIT, PORT, packets, pair, words

SITE = reference()


def views(without: tuple[str, ...] = (), extra: dict[str, str] | None = None) -> dict[str, HostView]:
    """Return every server with its own addresses but some, and with others of `extra` (address by host)."""
    found = {}
    for machine in SITE.servers:
        own = {str(address): "eth0" for _, address in machine.every if str(address) not in without}
        if machine.name in (extra or {}):
            own[(extra or {})[machine.name]] = "eth0"
        found[machine.name] = HostView(chains={}, interfaces={"127.0.0.1": "lo", **own})
    return found


def between(source: str, destination: str, version: int = 4) -> Pair:
    return next(
        one
        for one in pairs(SITE, ("host",))
        if (one.source, one.destination, one.address.version) == (source, destination, version) and not one.border
    )


V6 = str(between("w-1", "db-1", 6).address)
V4 = str(between("w-1", "db-1").address)
EVERY_V6 = tuple(str(address) for _, address in SITE.by_name["db-1"].every if address.version == 6)


def test_where_every_address_is_in_its_place_nothing_is_wrong() -> None:
    faults = AddressFaults(SITE, views())
    assert [faults.of(one) for one in pairs(SITE, ("host", "external"))] == [None] * len(
        pairs(SITE, ("host", "external"))
    )
    assert list(faults.outcomes([machine.name for machine in SITE.servers])) == []
    assert AddressFaults(SITE, {}).of(between("w-1", "db-1")) is None, "who was not looked at is not judged"


def test_an_address_that_is_not_there_is_told_and_so_is_a_host_without_any_ipv6() -> None:
    faults = AddressFaults(SITE, views(without=EVERY_V6))
    fault = faults.of(between("w-1", "db-1", 6))
    assert fault is not None
    assert (fault.culprit, fault.note) == (
        "model",
        f"db-1 does not have its address {V6}: it has no IPv6 address at all",
    )
    assert faults.of(between("w-1", "db-1")) is None
    own = faults.of(between("db-1", "w-1", 6))
    assert own is not None
    assert own.culprit == "source"
    (outcome,) = faults.outcomes(["db-1", "w-1"])
    assert (outcome.host, outcome.subject, outcome.status) == ("db-1", "addresses", "drift")
    assert "disable_ipv6" in outcome.next
    (other,) = AddressFaults(SITE, views(without=(V4,))).outcomes(["db-1"])
    assert "ip addr" in other.next


def test_two_hosts_with_one_address_are_named() -> None:
    faults = AddressFaults(SITE, views(extra={"cp-2": V4}))
    for one in (between("w-1", "db-1"), between("db-1", "cp-2"), between("db-1", "w-1")):
        fault = faults.of(one)
        assert fault is not None
        assert (fault.culprit, fault.note) == ("nat", f"cp-2 has db-1's address {V4} as well")
    assert faults.of(between("w-1", "cp-2")) is None
    (outcome,) = faults.outcomes(["cp-2", "db-1", "w-1"])
    assert (outcome.host, outcome.status) == ("cp-2", "drift")
    assert f"ip addr del {V4}/LENGTH dev eth0" in outcome.next
    assert faults.foreign("cp-2") == {V4}


def test_a_host_that_answers_for_an_address_without_having_it_is_named() -> None:
    stream = pair_of("w-1", "db-1")
    astray = seen_at(stream, passed=0)
    evidence = joined(stream, fired=(sent(stream),), cp_2=astray)
    facts = FleetFacts(site=SITE, evidence=evidence, sources=frozenset(), witnesses=frozenset(), views=views())
    for one in (stream, between("db-1", "w-1")):
        fault = facts.addresses.of(one)
        assert fault is not None
        assert (fault.culprit, fault.note) == ("nat", f"cp-2 answers for db-1's address {V4} as well")
    assert facts.addresses.of(between("w-1", "cp-2")) is None
    (outcome,) = facts.addresses.outcomes(["cp-2", "db-1", "w-1"])
    assert (outcome.host, outcome.status) == ("cp-2", "drift")
    assert "proxy_arp" in outcome.next
    handed_on = joined(stream, fired=(sent(stream),), cp_2=astray, db_1=seen_at(stream))
    assert handed_on.of(stream, "tcp").taken_by == frozenset(), "a router on the way takes nothing"
    moved = joined(stream, fired=(sent(stream),), cp_2=seen_at(stream, destination_seen="10.20.1.12"))
    assert moved.of(stream, "tcp").taken_by == frozenset(), "what was translated says nothing of who has the address"
    again = confirmed([stream], evidence, joined(stream, fired=(sent(stream),), db_1=seen_at(stream)))
    assert again.of(stream, "tcp").taken_by == frozenset(), "what came right the second time was taken by nobody"


def test_a_note_says_at_which_hosts_more_is_told() -> None:
    assert blamed(f"cp-2 has db-1's address {V4} as well") == ("cp-2",)
    assert blamed(f"arrived at cp-2 as {V4}: cp-2, w-1 answers for db-1's address {V4} as well") == ("cp-2", "w-1")
    assert blamed(f"db-1 does not have its address {V4}, {V6}: it has no IPv6 address at all") == ("db-1",)
    assert blamed("left the source, never arrived; both ends work") == ()


@pytest.mark.parametrize(
    ("fault_of", "evidence", "opened", "told"),
    [
        ("absent", "S", True, ("closed", "violation", "model")),
        ("absent", "SA", True, ("closed", "violation", "model")),
        ("absent", "S", False, ("unknown", "unproven", "model")),
        ("absent", "SAP", True, ("open", "ok", "")),
        ("twice", "S", True, ("closed", "violation", "nat")),
        ("twice", "SX", True, ("closed", "violation", "nat")),
        ("twice", "SX", False, ("unknown", "unproven", "nat")),
        ("twice", "SXR", False, ("open", "violation", "nat")),
        ("twice", "SA", True, ("closed", "violation", "destination-firewall")),
        ("source", "SA", True, ("closed", "violation", "nat")),
        ("source", "S", True, ("closed", "violation", "path")),
        ("mute", "", True, ("unknown", "unproven", "source")),
    ],
)
def test_what_did_not_come_through_is_the_addresss_fault(
    fault_of: str, evidence: str, opened: bool, told: tuple[str, str, str]
) -> None:
    fault = {
        "absent": AddressFaults(SITE, views(without=(V4,))).of(between("w-1", "db-1")),
        "mute": AddressFaults(SITE, views(without=(V4,))).of(between("db-1", "w-1")),
        "twice": AddressFaults(SITE, views(extra={"cp-2": V4})).of(between("w-1", "db-1")),
        "source": AddressFaults(SITE, views(extra={"cp-2": V4})).of(between("db-1", "cp-2")),
    }[fault_of]
    assert fault is not None
    found = classify(
        pair(*(((PORT, PORT),) if opened else ())), "tcp", packets(evidence), replace(StreamFacts(), fault=fault)
    )
    assert words(found) == told
    if told[2] == fault.culprit:
        (classification,) = [part for part, ports in found.items() if ports & BIT]
        assert fault.note in classification.note


def test_an_answer_that_goes_to_the_other_host_is_no_fault_of_the_service() -> None:
    fault = AddressFaults(SITE, views(extra={"cp-2": V4})).of(between("db-1", "w-1"))
    known = StreamFacts(owed=BIT, fault=fault)
    assert words(classify(pair((PORT, PORT)), "tcp", packets("SAP"), known)) == ("closed", "violation", "nat")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            errno.EINVAL,
            ("closed", "violation", "source-egress", "the source's own route there discards it (blackhole)"),
        ),
        (errno.EHOSTUNREACH, ("closed", "violation", "source-egress", "the source has no route there")),
        (errno.ENETDOWN, ("closed", "violation", "source-egress", "the source has no route there")),
        (errno.ENOBUFS, ("unknown", "unproven", "source", "was never sent: No buffer space available")),
    ],
)
def test_a_source_that_cannot_route_says_why(error: int, told: tuple[str, str, str, str]) -> None:
    stream = pair_of("w-1", "db-1")
    bit = next(iter(stream.probed.values()))
    found = join(SITE, (stream,), AgentRecords({"w-1": (sent(stream, 0, 0, {error: bit}),)}, {}))
    (classification,) = classify(
        replace(stream, openings=pair((443, 443)).openings), "tcp", found.of(stream, "tcp"), StreamFacts()
    )
    assert (classification.seen, classification.verdict, classification.culprit, classification.note) == told
    again = missing([stream], found, 1)
    assert bool(again) is (told[2] == "source"), "what the routing table answered is not sent again"


def test_a_closed_port_that_no_route_leads_to_is_closed() -> None:
    assert words(classify(pair(), "tcp", StreamEvidence(discarded=BIT), StreamFacts())) == ("closed", "ok", "")
