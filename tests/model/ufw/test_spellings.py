"""Rules in ufw's files are compared by what they ask for, and how a person spells them is no difference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model.ufw.builtin import undeclared
from model.ufw.chains import same_rule
from model.ufw.diff import difference
from model.ufw.kernel import UfwKernel, expected, read
from model.ufw.next_boot import NextBoot
from model.ufw.plan import plan
from model.ufw.state import BEFORE, UfwState
from model.ufw.tokens import tokens
from tests.model.ufw.ufw_data import file, saved
from tests.mutation import loaded
from tests.tasks.scripted import facts

FIVE = loaded(Path(__file__).parents[2] / "data" / "five-servers")
# As a person writes a rule, and as iptables-save does.
SPELLINGS = (
    ('-m comment --comment "don\'t" -j RETURN', '-m comment --comment "don\\\'t" -j RETURN'),
    ("-m comment --comment don't -j RETURN", '-m comment --comment "don\\\'t" -j RETURN'),
    ("-j LOG --log-level 4", "-j LOG"),
    ("-j LOG --log-level info", "-j LOG --log-level 6"),
    ("-p 47 -j DROP", "-p gre -j DROP"),
    ("-s 0.0.0.0/0 -j RETURN", "-j RETURN"),
    ("-p tcp --dport 6000: -j DROP", "-p tcp -m tcp --dport 6000:65535 -j DROP"),
    ("-p tcp --dport telnet -j DROP", "-p tcp -m tcp --dport 23 -j DROP"),
    ("-m limit --limit 10/s -j RETURN", "-m limit --limit 10/sec -j RETURN"),
    ("-p icmp --icmp-type ping -j RETURN", "-p icmp -m icmp --icmp-type 8 -j RETURN"),
)
OTHERS = (
    ("-j LOG --log-level info", "-j LOG"),
    ("-p 47 -j DROP", "-p esp -j DROP"),
    ("! -s 0.0.0.0/0 -j RETURN", "-j RETURN"),
    ("-p tcp --dport 6000: -j DROP", "-p tcp -m tcp --dport 6000 -j DROP"),
    ("-m limit --limit 10/s -j RETURN", "-m limit --limit 10/min -j RETURN"),
    ("-p tcp --dport telnet -j DROP", "-p tcp -m tcp --dport 23 -j ACCEPT"),
    ("-p tcp --syn -j DROP", "-p tcp -j DROP"),
)
PLACED = "-I ufw-before-input 3 -p tcp --dport 7 -j DROP"
SYN = "-A ufw-before-input -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP"


def _with(text: str, *lines: str) -> str:
    """Put lines before the COMMIT of a table."""
    return text.replace("COMMIT", "\n".join((*lines, "COMMIT")), 1)


def _own(text: str) -> str:
    """What the kernel holds of ufw's own files alone, as a host's iptables writes it: without rules of user.rules."""
    ways = [f"-A ufw-before-{way} -j ufw-user-{way}" for way in ("input", "output", "forward")]
    return "\n".join(line for line in text.splitlines() if not line.startswith(("-A ufw-user-", *ways)))


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
def test_a_persons_spelling_is_the_same_rule(one: str, other: str) -> None:
    assert same_rule(one, other, exact=False)


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_another_rule_is_another_one(one: str, other: str) -> None:
    assert not same_rule(one, other, exact=False)


def test_what_the_kernels_own_tools_wrote_is_compared_to_the_letter_where_it_is_not_known() -> None:
    first, second = "-m geoip --source-country A -j DROP", "-m geoip --source-country B -j DROP"
    assert same_rule(first, second, exact=False)
    assert not same_rule(first, second, exact=True)
    assert same_rule(first, first, exact=True)


def test_a_rule_is_put_where_its_number_says() -> None:
    before = _with(file("before", 4), PLACED)
    rules = expected(before, file("after", 4), file("user", 4), 4).chains["ufw-before-input"]
    assert rules[2] == PLACED.partition(" 3 ")[2]
    assert rules[:2] == expected(file("before", 4), "", "", 4).chains["ufw-before-input"][:2]


def test_words_are_taken_as_iptables_restore_takes_them() -> None:
    assert tokens("""-m comment --comment "a \\"b\\" c" -j X""") == ("-m", "comment", "--comment", 'a "b" c', "-j", "X")
    assert tokens("--comment don't -j X") == ("--comment", "don't", "-j", "X")
    assert tokens('--log-prefix "[UFW] ') == ("--log-prefix", "[UFW] ")


@pytest.fixture
def live() -> str:
    """A host's rules, one of them spelled in a way of which nothing is known here."""
    return saved(4).replace("-A ufw-before-input -j ufw-user-input", f"{SYN}\n-A ufw-before-input -j ufw-user-input")


def _wanted(own: str | None) -> UfwKernel:
    before = _with(file("before", 4), "-A ufw-before-input -p tcp --syn -j DROP")
    return expected(before, file("after", 4), file("user", 4), 4, own)


def test_a_hosts_own_iptables_says_what_its_files_hold(live: str) -> None:
    wanted = _wanted(_own(live))
    assert read(live, 4).same(wanted)
    other = live.replace("FIN,SYN,RST,ACK SYN", "FIN,SYN SYN")
    assert not read(other, 4).same(wanted)
    assert read(other, 4).same(_wanted(None)), "by hand nobody can tell: it is seen where the host's iptables is asked"


def test_a_difference_shows_the_rule_as_it_stands_in_the_kernel(live: str) -> None:
    state = UfwState({4: read(live.replace("ACK SYN", "ACK ACK"), 4), 6: read(saved(6), 6)}, {}, True)
    shown = difference("w-1", state, replace(state, kernel={4: _wanted(_own(live)), 6: read(saved(6), 6)}))
    assert "-A ufw-before-input -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK ACK -j DROP" in shown
    assert SYN in shown


def test_the_plan_asks_for_what_the_host_said(live: str) -> None:
    tried = replace(facts(), boot=NextBoot(how="loaded", own={4: _own(live)}))
    wanted = plan(FIVE, FIVE.servers[0], tried).then.kernel[4].chains["ufw-before-input"]
    assert SYN.partition("-input ")[2] in wanted


@pytest.mark.parametrize(
    ("rule", "opens"),
    [
        ("-A ufw-before-input -p tcp --dport telnet -j ACCEPT", True),
        ("-A ufw-before-input -p tcp --syn --dport 7 -j ACCEPT", True),
        ("-I ufw-before-input 3 -p tcp --dport 7 -j ACCEPT", True),
        ("-A ufw-before-input ! -i lo -j ACCEPT", True),
        ("-A ufw-before-input -m conntrack ! --ctstate ESTABLISHED -j ACCEPT", True),
        ('-A ufw-before-input -m comment --comment "don\'t" -p tcp --dport 7 -j ACCEPT', True),
        ("-A ufw-before-input -p icmp --icmp-type ping -m limit --limit 10/s -j ACCEPT", False),
        ("-A ufw-before-input -m state --state RELATED,ESTABLISHED -j ACCEPT", False),
        ("-A ufw-before-input --in-interface lo -j ACCEPT", False),
        ("-A ufw-before-input -p 47 -j DROP", False),
    ],
)
def test_an_opening_in_ufws_own_files_is_seen_however_it_is_spelled(rule: str, opens: bool) -> None:
    assert bool(undeclared(FIVE, {BEFORE[4]: f"*filter\n{rule}\nCOMMIT\n"})) is opens
