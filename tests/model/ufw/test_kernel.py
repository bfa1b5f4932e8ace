"""What ufw's files say and what the kernel holds are compared rule by rule, however they are written."""

from __future__ import annotations

import pytest

from model.ufw.chains import canonical
from model.ufw.kernel import EMPTY, read
from tests.model.ufw.ufw_data import loaded, saved


@pytest.mark.parametrize("version", [4, 6])
def test_what_ufw_loads_at_its_start_is_foretold_from_its_files(version: int) -> None:
    assert read(saved(version), version).same(loaded(version))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("--dport 22 -j ACCEPT", "--dport 23 -j ACCEPT"),
        (":INPUT DROP", ":INPUT ACCEPT"),
        ("--ctstate INVALID -j DROP", "--ctstate INVALID -j ACCEPT"),
        ("-skip-to-policy-input -j DROP", "-skip-to-policy-input -j ACCEPT"),
    ],
)
def test_every_deviation_of_the_kernel_is_seen(version: int, old: str, new: str) -> None:
    assert old in saved(version)
    assert not read(saved(version).replace(old, new, 1), version).same(loaded(version))


def test_a_jump_taken_away_is_seen() -> None:
    assert not read(saved(4).replace("-A INPUT -j ufw-before-input\n", ""), 4).same(loaded(4))


def test_a_rule_taken_away_or_put_elsewhere_is_seen() -> None:
    lines = saved(4).splitlines()
    numbers = [number for number, line in enumerate(lines) if line.startswith("-A ufw-user-input")]
    without = [line for number, line in enumerate(lines) if number != numbers[1]]
    assert not read("\n".join(without), 4).same(loaded(4))
    lines[numbers[0]], lines[numbers[1]] = lines[numbers[1]], lines[numbers[0]]
    assert not read("\n".join(lines), 4).same(loaded(4))


def test_rules_of_others_are_no_part_of_it() -> None:
    foreign = saved(4).replace("-A INPUT -j ufw-before", "-A INPUT -s 192.0.2.1/32 -j DROP\n-A INPUT -j ufw-before", 1)
    assert read(foreign, 4).same(loaded(4))


def test_an_empty_table_is_the_same_as_none() -> None:
    text = "*filter\n:INPUT ACCEPT [1:2]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
    assert read(text, 4).same(EMPTY)
    assert not read(text, 4).running


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-p tcp --dport 22 -s 10.0.0.1 -j ACCEPT", "-s 10.0.0.1/32 -p tcp -m tcp --dport 22 -j ACCEPT"),
        ("-m limit --limit 3/minute -j LOG", "-m limit --limit 3/min --limit-burst 5 -j LOG"),
        ("-p icmpv6 --icmpv6-type echo-request -j ACCEPT", "-p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT"),
        ("-j REJECT", "-j REJECT --reject-with icmp-port-unreachable"),
        ("-p 112 -j ACCEPT", "-p vrrp -j ACCEPT"),
        ("-m conntrack --ctstate NEW,RELATED", "-m conntrack --ctstate RELATED,NEW"),
        ("-p tcp --syn -j DROP", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP"),
        ("-p tcp --dport ssh -m recent --set -j own", "-p tcp -m tcp --dport 22 -m recent --set --name DEFAULT -j own"),
    ],
)
def test_two_spellings_of_a_rule_are_one(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-p tcp --dport 22 -j ACCEPT", "-p tcp ! --dport 22 -j ACCEPT"),
        ("-s 10.0.0.1 -j ACCEPT", "-d 10.0.0.1 -j ACCEPT"),
        ("-p tcp --dport 22 -j ACCEPT", "-p tcp --dport 22 -j DROP"),
        ("-p tcp --syn -j DROP", "-p tcp --syn -j ACCEPT"),
        ("-p tcp --syn -j DROP", "-p tcp -j DROP"),
        ('-j LOG --log-prefix "[UFW BLOCK] "', '-j LOG --log-prefix "[UFW ALLOW] "'),
    ],
)
def test_different_rules_are_not_one(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


def test_a_rule_that_asks_for_nothing_is_one_and_a_cut_line_is_no_exception() -> None:
    mute = "-A ufw-user-input\n"
    assert read(f"*filter\n:ufw-user-input - [0:0]\n{mute}COMMIT\n", 4).chains["ufw-user-input"] == ("",)
    file = f"*filter\n:ufw-user-input - [0:0]\n{mute}COMMIT\n"
    assert loaded(4, file).chains["ufw-user-input"] == ("",)
    assert not loaded(4, file).same(loaded(4, file.replace(mute, "")))
    for cut in (":", ":ufw-user-input", ":INPUT", "-A", "-A ", "-I", "word"):
        text = f"*filter\n{cut}\nCOMMIT\n"
        assert not read(text, 4).running or cut == ":ufw-user-input"
        assert loaded(4, text)
