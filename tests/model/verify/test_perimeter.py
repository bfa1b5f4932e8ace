"""What a perimeter device's rules let through, read from rulesets that the real `nft` loaded and printed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from lab.perimeter import ruleset
from model.report.outcome import Status
from model.report.report import Cell
from model.report.words import CellVerdict, Plane, PortState
from model.site.site import Site
from model.verify.perimeter import PerimeterDevice, configured, flow, parse
from model.verify.perimeter_rows import perimeter_outcomes, perimeter_rows
from tests import namespaces
from tests.mutation import loaded

GOLDEN = Path(__file__).parents[2] / "data" / "perimeter" / "lab-small.json"
OUTSIDE, SERVER, ELSEWHERE = "198.51.100.200", "10.20.1.21", "10.20.1.22"
EXTERNAL = "198.51.100.101"
ROUTES = {
    4: {"10.20.0.0/24": "eth0", "10.20.1.0/24": "eth1", "10.20.2.0/24": "eth2", "198.51.100.0/24": "eth3"},
    6: {"fd20::/64": "eth0", "fd20:1::/64": "eth1", "fd20:2::/64": "eth2", "2001:db8:100::/64": "eth3"},
}
Load = Callable[[str], PerimeterDevice]


@pytest.fixture(scope="module")
def load(real_machine: None) -> Iterator[Load]:
    """A device made of the real nft in a namespace of this test, and of routes on paper."""
    space = namespaces.add("p")
    inside = ("ip", "netns", "exec", space)

    def loaded(text: str) -> PerimeterDevice:
        flushed = f"flush ruleset\n{text}"
        done = subprocess.run((*inside, "nft", "-f", "-"), input=flushed, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        words = json.loads(
            subprocess.run((*inside, "nft", "-j", "list", "ruleset"), capture_output=True, check=True).stdout
        )
        for version, routes in ROUTES.items():
            words[f"routes{version}"] = [{"dst": network, "dev": device} for network, device in routes.items()]
        words["addresses"] = [{"addr_info": [{"local": "198.51.100.1"}, {"local": "10.20.1.1"}]}]
        return parse(json.dumps(words))

    try:
        yield loaded
    finally:
        namespaces.remove(space)


def device(
    forward: str = "",
    prerouting: str = "",
    more: str = "",
    policy: str = "drop",
    base: str = "ct state established,related accept",
) -> str:
    return f"""table inet perimeter {{
{more}
chain forward {{
type filter hook forward priority filter; policy {policy};
{base}
{forward}
}}
chain prerouting {{
type nat hook prerouting priority dstnat;
{prerouting}
}}
}}
"""


def word(perimeter: PerimeterDevice, low: int, high: int = 0, to: str = SERVER, protocol: str = "tcp") -> str:
    source = OUTSIDE if "." in to else "2001:db8:100::200"
    return configured(perimeter, ip_address(source), ip_address(to), protocol, (low, high or low))


CONDITIONS = [
    ("tcp dport 443", "open", "closed"),
    ("tcp dport { 80, 400-443 }", "open", "closed"),
    ("tcp dport != 444", "open", "closed"),
    ("tcp dport < 444", "open", "closed"),
    ("tcp dport >= 443 tcp dport 443", "open", "closed"),
    ("udp dport 443", "closed", "closed"),
    ("th dport 443", "open", "closed"),
    ("ip daddr 10.20.1.21 tcp dport 443", "open", "closed"),
    ("ip daddr != 10.20.1.21 tcp dport 443", "closed", "closed"),
    ("ip daddr 10.20.1.0/24 tcp dport 443", "open", "closed"),
    ("ip daddr 10.20.1.20-10.20.1.22 tcp dport 443", "open", "closed"),
    ("ip daddr { 10.20.1.0/28, 10.20.1.21 } tcp dport 443", "open", "closed"),
    ("ip6 daddr != fd20:1::22 tcp dport 443", "closed", "closed"),
    ("ip saddr 198.51.100.0/24 tcp dport 443", "open", "closed"),
    ("ip saddr 203.0.113.0/24 tcp dport 443", "closed", "closed"),
    ('iifname "eth3" tcp dport 443', "open", "closed"),
    ('iifname "eth*" oifname "eth1" tcp dport 443', "open", "closed"),
    ('iifname { "eth0", "eth1" } tcp dport 443', "closed", "closed"),
    ('iifname != "eth0" tcp dport 443', "open", "closed"),
    ("ct state new tcp dport 443", "open", "closed"),
    ("ct state { established, new } tcp dport 443", "open", "closed"),
    ("ct state != new tcp dport 443", "closed", "closed"),
    ("ct status dnat tcp dport 443", "closed", "closed"),
    ("meta l4proto tcp tcp dport 443", "open", "closed"),
    ("meta l4proto { udp, icmp } th dport 443", "closed", "closed"),
    ("meta nfproto ipv6 tcp dport 443", "closed", "closed"),
    ("tcp flags & (fin | syn | rst | ack) == syn tcp dport 443", "open", "closed"),
    ("tcp flags & (fin | syn | rst | ack) != syn tcp dport 443", "closed", "closed"),
    ("ip daddr . tcp dport { 10.20.1.21 . 443, 10.20.1.22 . 444 }", "open", "closed"),
    ("tcp dport @ports", "open", "closed"),
    ("icmp type echo-request", "closed", "closed"),
    ("tcp sport 1024-65535 tcp dport 443", "open", "closed"),
    ("tcp sport 67 tcp dport 443", "closed", "closed"),
    ("counter log limit rate 3/second tcp dport 443", "unknown", "closed"),
    ("ip saddr @changing tcp dport 443", "unknown", "closed"),
    ("meta mark 7 tcp dport 443", "unknown", "closed"),
    ("ip ttl 64 tcp dport 443", "unknown", "closed"),
    ("tcp sport 40000-50000 tcp dport 443", "unknown", "closed"),
]
SETS = """set ports { type inet_service; flags interval; elements = { 440-443 } }
set changing { type ipv4_addr; flags dynamic,timeout; timeout 1h; }"""


@pytest.mark.parametrize(("condition", "here", "beside"), CONDITIONS, ids=[case[0] for case in CONDITIONS])
def test_a_condition_admits_what_it_names_and_what_cannot_be_judged_stays_unknown(
    load: Load, condition: str, here: str, beside: str
) -> None:
    perimeter = load(device(f"{condition} accept", more=SETS))
    assert (word(perimeter, 443), word(perimeter, 444)) == (here, beside)


def test_an_interval_open_in_part_is_said_to_be_so(load: Load) -> None:
    perimeter = load(device("tcp dport 50000-60000 accept"))
    assert word(perimeter, 50000, 60000) == "open"
    assert word(perimeter, 49152, 65535) == "partly"


def test_a_doubtful_drop_before_a_drop_is_still_closed_and_before_an_accept_unknown(load: Load) -> None:
    perimeter = load(device("ip saddr @changing drop\ntcp dport 443 accept", more=SETS))
    assert (word(perimeter, 443), word(perimeter, 444)) == ("unknown", "closed")


def test_chains_jump_return_go_and_branch_by_verdict_maps(load: Load) -> None:
    chains = """chain web {
tcp dport 81 return
tcp dport 80-89 accept
}
chain other {
tcp dport 90 accept
}"""
    rules = """tcp dport 80-84 jump web
tcp dport 90-91 goto other
tcp dport vmap { 100 : accept, 101 : drop, 102 : jump web }
tcp dport { 81, 91, 101, 103 } accept"""
    perimeter = load(device(rules, more=chains))
    words = {port: word(perimeter, port) for port in (80, 81, 84, 85, 90, 91, 100, 101, 102, 103)}
    assert words == {
        80: "open", 81: "open", 84: "open", 85: "closed", 90: "open",
        91: "closed", 100: "open", 101: "closed", 102: "closed", 103: "open",
    }  # fmt: skip


def test_a_state_map_is_followed_for_a_new_packet(load: Load) -> None:
    base = "ct state vmap { established : accept, related : accept, invalid : drop }"
    assert word(load(device("tcp dport 443 accept", base=base)), 443) == "open"


def test_every_chain_of_a_hook_must_let_a_packet_through(load: Load) -> None:
    hook = "type filter hook forward priority 10; policy accept;"
    second = f"table inet late {{\nchain forward {{\n{hook}\ntcp dport 443 drop\n}}\n}}\n"
    perimeter = load(device("tcp dport 443-444 accept") + second)
    assert (word(perimeter, 443), word(perimeter, 444)) == ("closed", "open")


def test_dnat_is_followed_to_the_host_and_port_it_leads_to(load: Load) -> None:
    perimeter = load(
        device(
            "ip daddr 10.20.1.21 tcp dport 8443 ct status dnat accept\nip daddr 10.20.1.22 tcp dport { 25, 26 } accept",
            "ip daddr 198.51.100.101 tcp dport 443 dnat ip to 10.20.1.21:8443\n"
            "ip daddr 198.51.100.101 dnat ip to tcp dport map { 25 : 10.20.1.22, 80 : 10.20.1.22 }",
        )
    )
    assert word(perimeter, 443, to=EXTERNAL) == "open"
    assert word(perimeter, 25, to=EXTERNAL) == "open"
    assert word(perimeter, 80, to=EXTERNAL) == "closed", "translated, and then not forwarded"
    assert word(perimeter, 8443, to=SERVER) == "closed", "forwarded only where it was translated"
    reached = flow(perimeter, ip_address(OUTSIDE), ip_address(EXTERNAL), "tcp")
    assert dict(reached.targets) == {ip_address(SERVER): 1 << 443, ip_address(ELSEWHERE): 1 << 25}


def test_a_packet_for_the_device_itself_meets_input_and_not_forward(load: Load) -> None:
    chain = "chain input { type filter hook input priority filter; policy drop;\ntcp dport 22 accept\n}"
    perimeter = load(device("tcp dport 443 accept", more=chain))
    assert word(perimeter, 22, to="198.51.100.1") == "open"
    assert word(perimeter, 443, to="198.51.100.1") == "closed"
    assert flow(perimeter, ip_address(OUTSIDE), ip_address("198.51.100.1"), "tcp").local == 1 << 22


def test_a_destination_without_a_route_is_closed(load: Load) -> None:
    assert word(load(device(policy="accept")), 443, to="203.0.113.9") == "closed"


def test_anybody_is_not_taken_for_somebody(load: Load) -> None:
    perimeter = load(device("ip saddr 198.51.100.0/24 tcp dport 443 accept\ntcp dport 80 accept"))
    for port, words in ((443, "unknown"), (80, "open"), (81, "closed")):
        assert configured(perimeter, None, ip_address(SERVER), "tcp", (port, port)) == words


def test_chains_of_an_interface_before_all_others_make_everything_unknown(load: Load) -> None:
    hook = "type filter hook ingress device lo priority 0; policy accept;"
    early = f"table netdev early {{\nchain in {{\n{hook}\ntcp dport 80 drop\n}}\n}}\n"
    perimeter = load(device("tcp dport 443 accept") + early)
    assert (word(perimeter, 443), word(perimeter, 444)) == ("unknown", "closed")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nftables": [{"rule": {}}]}', '{"nftables": 3}', "table inet x {}"])
def test_what_is_no_ruleset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no ruleset"):
        parse(text)


def site() -> Site:
    return loaded()


def drift(perimeter: PerimeterDevice, of: Site | None = None) -> list[str]:
    where = of or site()
    (outcome,) = perimeter_outcomes(where, perimeter, perimeter_rows(where, perimeter, ()))
    assert (outcome.host, outcome.subject) == ("router-1", "perimeter")
    assert (outcome.status is Status.DRIFT) == bool(outcome.evidence)
    lines = outcome.evidence or []
    assert isinstance(lines, list)
    return lines


def test_a_device_configured_from_the_matrix_agrees_with_it_row_by_row(load: Load) -> None:
    perimeter = load(ruleset(site()))
    assert drift(perimeter) == []
    rows = perimeter_rows(site(), perimeter, ())
    assert {row["declared"] for row in rows} == {"open", "closed"}
    assert all(row["declared"] == row["configured"] for row in rows)
    named = {row["row"] for row in rows}
    assert {"https", "turn-relay", "federation", "turn-dtls", "livekit-media-range", "registries-and-packages"} <= named
    relay = [row for row in rows if row["row"] == "turn-relay"]
    assert [(row["address"], row["port"], row["protocol"]) for row in relay] == [
        ("198.51.100.102", "49152-65535", "udp"),
        ("2001:db8:100::102", "49152-65535", "udp"),
    ]


def test_what_the_labs_router_itself_printed_agrees_with_its_site() -> None:
    whole = site()
    small = {"cp-1", "cp-2", "cp-3", "w-1", "db-1", "li-1", "router-1", "vantage-1"}
    external = {"ingress": whole.settings.external["ingress"]}
    here = replace(
        whole,
        settings=whole.settings.model_copy(update={"external": external}),
        machines=tuple(machine for machine in whole.machines if machine.name in small),
    )
    perimeter = parse(GOLDEN.read_text())
    assert drift(perimeter, here) == []
    assert {row["configured"] for row in perimeter_rows(here, perimeter, ())} == {"open", "closed"}


def test_a_translation_that_is_gone_is_drift(load: Load) -> None:
    text = ruleset(site()).replace("tcp dport { 443 } dnat ip to", "tcp dport { 444 } dnat ip to")
    (line,) = drift(load(text))
    assert line == "https: 198.51.100.101 443/tcp is declared open, the device is configured closed"


def test_a_translation_to_another_host_is_drift(load: Load) -> None:
    text = ruleset(site()).replace("dnat ip to 10.20.1.51", "dnat ip to 10.20.1.52")
    text = text.replace("ip daddr { 10.20.1.51 }", "ip daddr { 10.20.1.52 }")
    verdicts = drift(load(text))
    assert "198.51.100.102 3478, 5349/tcp leads to 10.20.1.52; the site names call-1" in verdicts


def test_a_range_cut_short_is_drift(load: Load) -> None:
    text = ruleset(site()).replace("udp dport { 49152-65535 } dnat ip to", "udp dport { 50000-65535 } dnat ip to")
    (line,) = drift(load(text))
    assert line == "turn-relay: 198.51.100.102 49152-65535/udp is declared open, the device is configured partly"


def test_what_no_row_declares_is_drift(load: Load) -> None:
    hole = 'iifname "eth3" ip daddr 198.51.100.101 tcp dport 8448 dnat ip to 10.20.1.22\n\t\t'
    hole += 'iifname "eth3" ip daddr 198.51.100.77'
    hole += " tcp dport 9 dnat ip to 10.20.1.31"
    text = ruleset(site()).replace("priority dstnat;", f"priority dstnat;\n\t\t{hole}")
    text = text.replace(
        "ct state established,related accept", "ct state established,related accept\n\t\tct status dnat accept"
    )
    assert sorted(drift(load(text))) == [
        "198.51.100.101 8448/tcp is let through from the internet to 10.20.1.22; no row says so",
        "198.51.100.77 9/tcp is let through from the internet to 10.20.1.31; no row says so",
        "federation: 198.51.100.101 8448/tcp is declared closed, the device is configured open",
    ]


def test_a_server_reached_without_translation_is_drift(load: Load) -> None:
    rule = 'iifname "eth3" ip daddr 10.20.1.31 tcp dport 5432 accept'
    text = ruleset(site()).replace(
        "type filter hook forward priority filter; policy drop;",
        f"type filter hook forward priority filter; policy drop;\n\t\t{rule}",
    )
    assert drift(load(text)) == ["10.20.1.31 5432/tcp is let through from the internet to 10.20.1.31; no row says so"]


def test_a_hole_in_an_inner_border_is_drift(load: Load) -> None:
    rule = "iifname eth1 oifname eth2 ip saddr 10.20.1.21 tcp dport 22 accept"
    text = ruleset(site()).replace("policy drop;", f"policy drop;\n\t\t{rule}")
    assert drift(load(text)) == ["22/tcp is let through, no row says so: w-1 to 10.20.2.11"]


def test_a_way_out_left_open_is_drift(load: Load) -> None:
    rule = "iifname eth1 oifname eth3 tcp dport 443 accept"
    verdicts = drift(load(ruleset(site()).replace("policy drop;", f"policy drop;\n\t\t{rule}")))
    assert (
        "registries-and-packages: 198.51.100.200 443/tcp is declared closed, the device is configured partly"
        in verdicts
    )


def test_what_rules_leave_unknown_is_said_and_is_no_drift(load: Load) -> None:
    text = ruleset(site()).replace("tcp dport { 443 } dnat ip to", "tcp dport { 443 } limit rate 9/second dnat ip to")
    perimeter = load(text)
    assert drift(perimeter) == []
    unknown = [row for row in perimeter_rows(site(), perimeter, ()) if row["configured"] == "unknown"]
    assert [(row["row"], row["address"]) for row in unknown] == [("https", "198.51.100.101")]


def test_without_a_device_nothing_is_configured_and_packets_still_witness() -> None:
    def seen(address: str, low: int, high: int, word: str) -> Cell:
        return Cell(
            source="vantage-1",
            destination="w-1",
            address=address,
            protocol="tcp",
            port_lo=low,
            port_hi=high,
            plane=Plane.EXTERNAL,
            expected=PortState.OPEN,
            seen=PortState(word),
            verdict=CellVerdict.OK,
        )

    cells = (
        seen("198.51.100.101", 443, 443, "open"),
        seen("198.51.100.101", 80, 80, "unknown"),
        seen("2001:db8:100::101", 1, 79, "closed"),
        seen("198.51.100.102", 3000, 3478, "open"),
        seen("198.51.100.102", 3478, 4000, "closed"),
    )
    rows = {(row["row"], row["address"]): row for row in perimeter_rows(site(), None, cells)}
    assert {row["configured"] for row in rows.values()} == {"unknown"}
    assert rows["https", "198.51.100.101"]["witnessed"] == "open"
    assert rows["http", "198.51.100.101"]["witnessed"] == "unknown"
    assert rows["https", "2001:db8:100::101"]["witnessed"] == "unknown"
    assert rows["turn-tcp", "198.51.100.102"]["witnessed"] == "mixed"
