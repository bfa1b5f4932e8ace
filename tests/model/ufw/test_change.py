"""
A change leads exactly from what is to what should be, touches nothing else, and can be undone from wherever it stopped.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

from hypothesis import given, settings
from hypothesis import strategies as st

from model.ufw.change import KernelChange, change, undo
from model.ufw.diff import difference
from model.ufw.kernel import EMPTY, UfwKernel
from model.ufw.rule import UfwRule
from model.ufw.state import FILES, UfwState
from model.ufw.text import render
from tests.model.ufw.ufw_data import loaded, told


@st.composite
def rules(draw: st.DrawFn) -> tuple[UfwRule, ...]:
    sources = st.integers(0, 2**24 - 1).map(lambda number: str(IPv4Network((0x0A000000 + number, 32)).network_address))
    ports = st.integers(1, 65535).map(str)
    first = st.builds(
        UfwRule,
        action=st.sampled_from(("allow", "deny")),
        protocol=st.sampled_from(("tcp", "udp")),
        destination_port=ports,
        destination=st.just("0.0.0.0/0"),
        source_port=st.just("any"),
        source=sources,
        comment=st.just("matrix-fleet x"),
    )
    return tuple(draw(st.lists(first, max_size=8, unique=True)))


@st.composite
def states(draw: st.DrawFn) -> UfwState:
    text = render(draw(rules()), 4, "low")
    running = draw(st.booleans())
    kernel = loaded(4, text) if running else draw(st.sampled_from((EMPTY, _bare_chains())))
    if running and draw(st.booleans()):
        kernel = replace(kernel, jumps={**kernel.jumps, "INPUT": kernel.jumps["INPUT"][:-1]})
    files = {FILES[0]: text, FILES[3]: f"ENABLED={'yes' if running else 'no'}\n"}
    return UfwState({4: kernel, 6: EMPTY}, files, draw(st.booleans()))


def _bare_chains() -> UfwKernel:
    """What `ufw disable` leaves behind: primary chains, emptied, and the jumps into them."""
    whole = loaded(4)
    names = {rule.removeprefix("-j ") for jumps in whole.jumps.values() for rule in jumps}
    return UfwKernel({"INPUT": "ACCEPT"}, whole.jumps, dict.fromkeys(sorted(names), ()))


@settings(max_examples=60, deadline=None)
@given(states(), states())
def test_carrying_a_change_out_leads_to_the_state_it_is_for(now: UfwState, then: UfwState) -> None:
    part = change(now, then).kernel.get(4, KernelChange())
    assert carried_out(part, now.kernel[4]).same(then.kernel[4])


@settings(max_examples=30, deadline=None)
@given(states())
def test_where_nothing_differs_nothing_is_done(state: UfwState) -> None:
    assert not change(state, state)
    assert not undo(state, state)
    assert difference("h", state, state) == ""


@settings(max_examples=60, deadline=None)
@given(states(), states())
def test_an_undo_brings_back_what_was_from_before_and_from_after_the_change(now: UfwState, then: UfwState) -> None:
    back = undo(now, then).kernel.get(4, KernelChange())
    assert carried_out(back, then.kernel[4]).same(now.kernel[4])
    assert carried_out(back, now.kernel[4]).same(now.kernel[4])
    assert carried_out(back, carried_out(back, then.kernel[4])).same(now.kernel[4])


@settings(max_examples=30, deadline=None)
@given(states(), states())
def test_a_difference_is_shown_exactly_where_there_is_a_change(now: UfwState, then: UfwState) -> None:
    assert bool(difference("h", now, then)) == bool(change(now, then))


def test_only_the_chains_that_differ_are_mentioned() -> None:
    now = UfwState({4: loaded(4), 6: EMPTY}, {}, True)
    then = UfwState({4: loaded(4, render(told(4)[1:], 4, "low")), 6: EMPTY}, {}, True)
    restore = change(now, then).kernel[4].restore
    assert [line for line in restore.splitlines() if line.startswith(":")] == [":ufw-user-input - [0:0]"]


def test_a_difference_says_rules_in_words() -> None:
    texts = [render(part, 4, "low") for part in (told(4), told(4)[1:])]
    now, then = (UfwState({4: loaded(4, text), 6: EMPTY}, {FILES[0]: text}, True) for text in texts)
    shown = difference("db-1", now, then)
    assert "-deny tcp 9001 from 10.20.2.0/24 to 10.20.1.31 # matrix-fleet s3-console" in shown
    assert "--A ufw-user-input -s 10.20.2.0/24 -d 10.20.1.31/32 -p tcp --dport 9001 -j DROP" in shown


def carried_out(part: KernelChange, kernel: UfwKernel) -> UfwKernel:
    """Do what iptables-restore --noflush, and then the removals, do to ufw's share of a table."""
    policies, jumps = dict(kernel.policies), {name: list(result) for name, result in kernel.jumps.items()}
    chains = {name: list(result) for name, result in kernel.chains.items()}
    for line in part.restore.splitlines():
        words = line.split(" ", 2)
        if line.startswith(":") and words[1] == "-":
            chains[words[0][1:]] = []
        elif line.startswith(":"):
            policies[words[0][1:]] = words[1]
        elif words[0] == "-A":
            (chains[words[1]] if words[1] in chains else jumps.setdefault(words[1], [])).append(words[2])
        elif words[0] == "-D":
            jumps[words[1]].remove(words[2])
    for chain, rule in part.removed_jumps:
        jumps[chain] = [result for result in jumps.get(chain, ()) if result != rule]
    for chain, _place, rule in part.returned_jumps:
        jumps.setdefault(chain, []).append(rule)
    for name in part.removed_chains:
        assert not chains.pop(name), "only an empty chain can be taken away"
        assert not any(rule == f"-j {name}" for result in jumps.values() for rule in result)
    return UfwKernel(
        policies,
        {name: tuple(result) for name, result in jumps.items()},
        {name: tuple(result) for name, result in chains.items()},
    )
