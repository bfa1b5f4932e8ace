"""A narrowed run brings the few probes that prove its own ends, and speaks of none of them."""

from __future__ import annotations

from model.verify.pairs import Pair, pairs
from model.verify.probed_ports import CONTROLS, controls, count, vouching, with_ports
from tests.model.verify.test_pairs import site

EVERYTHING = pairs(site(), ("host", "external"))


def narrowed(source: str | None = None, destination: str | None = None) -> tuple[Pair, ...]:
    return tuple(
        pair for pair in EVERYTHING if source in (None, pair.source) and destination in (None, pair.destination)
    )


def test_a_run_over_everything_needs_no_controls() -> None:
    assert controls(EVERYTHING, EVERYTHING) == ()


def test_a_run_within_one_network_needs_no_controls() -> None:
    assert controls(EVERYTHING, [pair for pair in narrowed("w-1", "w-2") if not pair.border]) == ()


def test_both_ends_of_a_border_get_others_that_saw_them_work() -> None:
    chosen = narrowed("li-1", "w-1")
    control_pairs = controls(EVERYTHING, chosen)
    assert 1 <= len([pair for pair in control_pairs if pair.source == "li-1"]) <= CONTROLS + 1
    assert {pair.destination for pair in control_pairs if pair.source == "li-1"}.isdisjoint({"w-1"})
    assert any(pair.destination == "w-1" and pair.source != "li-1" for pair in control_pairs)


def test_no_control_is_a_pair_that_was_chosen() -> None:
    chosen = narrowed(destination="li-1")
    keys = {(pair.source, pair.address) for pair in chosen}
    assert keys.isdisjoint({(pair.source, pair.address) for pair in controls(EVERYTHING, chosen)})


def test_each_control_is_one_probe_that_arrives_when_both_ends_work() -> None:
    for pair in controls(EVERYTHING, narrowed("vantage-1")):
        assert count([pair]) == 1
        [(protocol, ports)] = pair.probed.items()
        assert not pair.border or ports & pair.open(protocol)


def test_a_chosen_closed_port_across_a_border_is_accompanied_by_an_open_one() -> None:
    [pair, *_] = with_ports(site(), narrowed("vantage-1", "w-1"), "boundaries", {}, {"tcp": 1 << 22})
    assert not pair.probed["tcp"] & pair.open("tcp")
    assert vouching(pair).probed["tcp"] & pair.open("tcp")


def test_a_border_that_nothing_crosses_stays_as_it_is() -> None:
    [pair, *_] = with_ports(site(), narrowed("w-1", "vantage-1"), "boundaries", {}, {"tcp": 1 << 22})
    assert vouching(pair) == pair
