"""How the accounts of sources and witnesses join, and what is worth sending again."""

from __future__ import annotations

import errno
from dataclasses import replace
from functools import cache
from ipaddress import ip_address

import pytest

from model.verify.evidence import RunEvidence, join
from model.verify.pairs import Pair, pairs
from model.verify.probing import AgentRecords, PlainConnect, SeenStream, SentStream, WitnessRecord
from model.verify.resend import confirmed, doubtful, missing, silent
from tests.model.verify.simulation import reference

PORT = 443
BIT = 1 << PORT


@cache
def chosen() -> tuple[Pair, ...]:
    return pairs(reference(), ("host", "external"))


def pair(source: str, destination: str, external: str = "", probed: int = BIT) -> Pair:
    evidence = next(
        stream
        for stream in chosen()
        if (stream.source, stream.destination, stream.external) == (source, destination, external)
        and stream.address.version == 4
    )
    return replace(evidence, probed={"tcp": probed, "udp": 0})


def seen(
    of_pair: Pair, arrived: int = BIT, passed: int = BIT, source_seen: str = "", destination_seen: str = ""
) -> SeenStream:
    shown = source_seen or str(of_pair.source_address)
    return SeenStream(
        source=of_pair.source,
        address=str(of_pair.address),
        protocol="tcp",
        arrived=arrived,
        passed=passed,
        source_seen=shown,
        destination_seen=destination_seen or str(of_pair.address),
    )


def sent(of_pair: Pair, left: int = BIT, refused: int = 0, unroutable: dict[int, int] | None = None) -> SentStream:
    return SentStream(
        target=of_pair.destination,
        address=str(of_pair.address),
        protocol="tcp",
        sent=left,
        refused=refused,
        unroutable=unroutable or {},
        synack=0,
        rst=0,
        data=0,
        icmp={(3, 1, "10.0.0.9"): BIT},
    )


def joined(*chosen: Pair, fired: tuple[SentStream, ...] = (), **witnessed: SeenStream) -> RunEvidence:
    """`witnessed` by host name, `_` for `-`; all of `fired` was sent by the first pair's source."""
    accounts = {name.replace("_", "-"): WitnessRecord((row,), (), 0) for name, row in witnessed.items()}
    return join(reference(), chosen, AgentRecords({chosen[0].source: fired}, accounts))


def key(of_pair: Pair) -> tuple[str, str, str]:
    return of_pair.source, str(of_pair.address), "tcp"


def test_a_probe_seen_at_its_destination_arrived_and_passed_there() -> None:
    stream = pair("cp-1", "w-1")
    packets = joined(stream, fired=(sent(stream),), w_1=seen(stream, passed=0)).streams[key(stream)]
    assert (packets.sent, packets.arrived, packets.passed, packets.strayed, packets.translated) == (BIT, BIT, 0, 0, 0)
    assert packets.icmp == {"3 10.0.0.9": BIT}
    assert packets.nat == ""


def test_a_probe_seen_at_another_host_strayed() -> None:
    stream = pair("cp-1", "w-1")
    packets = joined(stream, fired=(sent(stream),), db_1=seen(stream, destination_seen="10.20.1.31")).streams[
        key(stream)
    ]
    assert (packets.arrived, packets.passed, packets.strayed) == (0, 0, BIT)
    assert packets.nat == "arrived at db-1 as 10.20.1.31"


@pytest.mark.parametrize(("passed", "strayed"), [(0, 0), (BIT, BIT)], ids=["on its way", "at its end"])
def test_what_a_node_sees_of_its_own_pods_has_gone_astray_where_it_ends_there_alone(passed: int, strayed: int) -> None:
    stream = replace(pair("cp-2", "cp-1"), source="pods@cp-2")
    packets = joined(stream, fired=(sent(stream),), cp_1=seen(stream), cp_2=seen(stream, passed=passed)).streams[
        key(stream)
    ]
    assert (packets.arrived, packets.passed, packets.strayed) == (BIT, BIT, strayed)
    assert packets.nat == (f"arrived at cp-2 as {stream.address}" if strayed else "")


def test_a_probe_under_another_source_was_translated() -> None:
    stream = pair("cp-1", "w-1")
    packets = joined(stream, fired=(sent(stream),), w_1=seen(stream, source_seen="10.20.1.1")).streams[key(stream)]
    assert (packets.passed, packets.translated) == (BIT, BIT)
    assert packets.nat == f"arrived from 10.20.1.1 instead of {stream.source_address}"


def test_behind_an_external_address_the_hosts_the_site_names_may_answer_and_are_named() -> None:
    stream = pair("vantage-1", "w-1", "ingress")
    packets = joined(stream, fired=(sent(stream),), w_1=seen(stream, destination_seen="10.20.1.21")).streams[
        key(stream)
    ]
    assert (packets.passed, packets.strayed, packets.answered) == (BIT, 0, "w-1")
    astray = joined(stream, fired=(sent(stream),), db_1=seen(stream)).streams[key(stream)]
    assert (astray.passed, astray.strayed, astray.answered) == (0, BIT, "")


def test_a_missing_route_is_an_answer_and_a_full_queue_is_none() -> None:
    stream = pair("cp-1", "w-1")
    lost = {errno.ENETUNREACH: 1, errno.EHOSTUNREACH: 2, errno.ENOBUFS: 4}
    assert joined(stream, fired=(sent(stream, 0, 0, lost),)).streams[key(stream)].unroutable == 3


def test_without_accounts_nothing_is_known() -> None:
    stream = pair("cp-1", "w-1")
    packets = joined(stream).streams[key(stream)]
    assert (packets.sent, packets.arrived, packets.icmp) == (0, 0, {})


def test_a_source_is_proven_by_whoever_saw_it_and_a_witness_by_another_source_only() -> None:
    stream, other = pair("cp-1", "w-1"), pair("cp-2", "w-1")
    alone = joined(stream, fired=(sent(stream),), w_1=seen(stream))
    assert alone.source_proven(stream)
    assert not alone.witness_proven(stream), "its own packets do not vouch for who saw them"
    assert alone.witness_proven(other)
    assert not alone.source_proven(other)
    elsewhere = joined(stream, fired=(sent(stream),), db_1=seen(pair("cp-1", "db-1")))
    assert elsewhere.source_proven(stream)
    assert not elsewhere.witness_proven(stream)


def test_what_did_not_arrive_proves_nobody() -> None:
    stream = pair("cp-1", "w-1")
    silent = joined(stream, fired=(sent(stream),), w_1=seen(stream, arrived=0, passed=0))
    assert not silent.source_proven(stream)
    assert not silent.witness_proven(pair("cp-2", "w-1"))


def test_the_controllers_own_connection_vouches_for_a_witness() -> None:
    stream = pair("cp-1", "w-1")
    for arrived in (True, False):
        accounts = AgentRecords(
            {}, {"w-1": WitnessRecord((), (PlainConnect("10.20.0.10", 1, 22, arrived, arrived),), 0)}
        )
        assert join(reference(), (stream,), accounts).witness_proven(stream) == arrived


def again(of_pair: Pair, number: int = 1, fired: SentStream | None = None, witnessed: SeenStream | None = None) -> int:
    accounts = {of_pair.destination: WitnessRecord((witnessed,), (), 0)} if witnessed else {}
    evidence = missing(
        (of_pair,),
        join(reference(), (of_pair,), AgentRecords({of_pair.source: (fired or sent(of_pair),)}, accounts)),
        number,
    )
    return evidence.get(of_pair.source, {}).get((str(of_pair.address), "tcp"), 0)


def test_only_what_is_not_yet_an_answer_is_sent_again() -> None:
    shut = pair("cp-1", "w-1", probed=1 << 5432 | 1 << 5433)
    assert again(shut, fired=sent(shut, 3 << 5432), witnessed=seen(shut, arrived=1 << 5432, passed=0)) == 1 << 5433
    assert again(shut, fired=sent(shut, 0, 3 << 5432)) == 0, "refused by the source"
    assert again(shut, fired=sent(shut, 0, 0, {errno.ENETUNREACH: 3 << 5432})) == 0, "no route"
    assert again(shut, fired=sent(shut, 0, 0, {errno.ENOBUFS: 3 << 5432})) == 3 << 5432
    opened = pair("w-1", "db-1", probed=1 << 5432)
    assert again(opened, fired=sent(opened, 1 << 5432), witnessed=seen(opened, 1 << 5432, 1 << 5432)) == 0
    assert again(opened, fired=sent(opened, 1 << 5432), witnessed=seen(opened, 1 << 5432, 0)) == 1 << 5432


def test_what_left_before_its_source_was_hidden_is_sent_again_once_the_rest_is() -> None:
    node = ip_address("10.20.1.11")
    pod = replace(pair("cp-1", "w-1", probed=7), masks=(node,))

    def wanted(bare: int, hidden: int) -> int:
        rows = (seen(pod, bare, 0, "10.244.0.7"), seen(pod, hidden, 0, str(node)))
        accounts = AgentRecords({pod.source: (sent(pod, 7),)}, {"w-1": WitnessRecord(rows, (), 0)})
        pairs_of = (replace(pod, source_address=ip_address("10.244.0.7")),)
        return (
            missing(pairs_of, join(reference(), pairs_of, accounts), 1)
            .get("cp-1", {})
            .get((str(pod.address), "tcp"), 0)
        )

    assert wanted(7, 0) == 0, "this network hides no pods"
    assert wanted(0, 7) == 0
    assert wanted(7, 4) == 3, "what was sent again showed the node, so the others would by now"
    assert wanted(7, 7) == 0


def test_what_a_border_should_stop_is_sent_twice_and_what_should_cross_it_until_it_does() -> None:
    border = pair("li-1", "db-1", probed=1 << 5432 | 1 << 5433)
    assert border.border
    fired = sent(border, 3 << 5432)
    assert again(border, 1, fired) == 3 << 5432
    assert again(border, 2, fired) == 1 << 5432


def test_what_surfaced_elsewhere_and_does_not_do_so_again_was_chance() -> None:
    stream = pair("cp-1", "w-1")
    before = joined(stream, fired=(sent(stream),), db_1=seen(stream))
    (doubted,) = doubtful([stream], before)
    assert doubted.probed["tcp"] == BIT
    settled = confirmed([doubted], before, joined(stream, fired=(sent(stream),))).streams[key(stream)]
    assert (settled.sent, settled.strayed, settled.nat) == (BIT, 0, "")


def test_what_surfaces_elsewhere_again_stays() -> None:
    stream = pair("cp-1", "w-1")
    before = joined(stream, fired=(sent(stream),), db_1=seen(stream))
    settled = confirmed(doubtful([stream], before), before, before).streams[key(stream)]
    assert (settled.strayed, settled.nat) == (BIT, f"arrived at db-1 as {stream.address}")


def test_what_could_not_be_sent_again_stays() -> None:
    stream = pair("cp-1", "w-1")
    before = joined(stream, fired=(sent(stream),), db_1=seen(stream))
    assert confirmed(doubtful([stream], before), before, joined(stream)) == before


def test_what_came_at_another_address_by_chance_arrived_only_if_it_does_now() -> None:
    stream = pair("cp-1", "w-1")
    before = joined(stream, fired=(sent(stream),), w_1=seen(stream, passed=0, destination_seen="10.244.1.2"))
    doubted = doubtful([stream], before)
    for again, arrived in (((), 0), ((seen(stream, passed=0),), BIT)):
        witnessed = {"w_1": again[0]} if again else {}
        settled = confirmed(doubted, before, joined(stream, fired=(sent(stream),), **witnessed)).streams[key(stream)]
        assert (settled.arrived, settled.translated, settled.nat) == (arrived, 0, "")


def test_a_whole_stream_that_is_translated_is_not_doubted() -> None:
    every = 0b11111 << PORT
    stream = pair("cp-1", "w-1", probed=every)
    before = joined(stream, fired=(sent(stream, every),), w_1=seen(stream, every, every, source_seen="10.20.1.1"))
    assert doubtful([stream], before) == ()


def closed() -> Pair:
    return replace(pair("cp-1", "w-1"), openings=())


def test_what_passes_a_closed_port_once_and_never_again_is_closed_only_where_the_rules_refuse_it() -> None:
    stream = closed()
    before = joined(stream, fired=(sent(stream),), w_1=seen(stream))
    (doubted,) = doubtful([stream], before)
    stopped = joined(stream, fired=(sent(stream),), w_1=seen(stream, passed=0))
    settled = confirmed([doubted], before, stopped).streams[key(stream)]
    assert (settled.passed, settled.once) == (BIT, BIT)
    assert settled.beside(refused=0).passed == BIT
    assert settled.beside(refused=BIT).passed == 0


@pytest.mark.parametrize("fired_again", [True, False])
def test_what_passes_a_closed_port_again_or_could_not_be_seen_again_has_passed(fired_again: bool) -> None:
    stream = closed()
    before = joined(stream, fired=(sent(stream),), w_1=seen(stream))
    again = before if fired_again else joined(stream, fired=(sent(stream),))
    settled = confirmed(doubtful([stream], before), before, again).streams[key(stream)]
    assert settled.beside(refused=BIT).passed == BIT


@pytest.mark.parametrize("answer", ["none", "rst", "syn-ack"])
@pytest.mark.parametrize("lent", [False, True])
def test_a_service_that_gave_no_answer_is_asked_again_by_those_too_who_are_lent_what_is_open(
    answer: str, lent: bool
) -> None:
    host = pair("cp-2", "cp-1", probed=1 << 10257)
    node = ip_address("10.20.1.12")
    pod = replace(host, source_address=ip_address("10.244.1.2"), masks=(node,), openings=(), may=host.openings)
    stream = pod if lent else host
    bit = 1 << 10257
    record = replace(
        sent(stream, bit), rst=bit if answer == "rst" else 0, synack=bit if answer == "syn-ack" else 0, icmp={}
    )
    evidence = joined(stream, fired=(record,), cp_1=seen(stream, bit, bit, str(node) if lent else ""))
    wanted = silent([stream], evidence, lambda owing, protocol: owing.open(protocol) & bit)
    assert wanted == ({} if answer == "syn-ack" else {"cp-2": {(str(stream.address), "tcp"): bit}})
