"""What loss explains: bounds that hold for any number of packets, and how often something is sent until it does not."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.verify.loss import BY_CHANCE, MOST_SENDS, Loss, asks


def at_most(lost: int, sent: int, rate: float) -> float:
    """How likely a path that loses at this rate loses no more than that, exactly."""
    return math.fsum(math.comb(sent, k) * rate**k * (1 - rate) ** (sent - k) for k in range(lost + 1))


@given(st.integers(0, 60), st.data(), st.integers(1, MOST_SENDS), st.floats(0.001, 0.5))
def test_no_rate_explains_what_is_known_and_what_is_missing_better_than_the_bound(
    sent: int, data: st.DataObject, sends: int, rate: float
) -> None:
    loss = Loss(sent, data.draw(st.integers(0, max(0, sent - 1))))
    assert at_most(loss.lost, loss.sent, rate) * rate**sends <= loss.chance(sends) * (1 + 1e-9)


@given(st.integers(1, 500), st.data())
def test_the_more_is_lost_the_more_often_it_is_sent(sent: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, sent - 1))
    assert Loss(sent, lost).sends <= Loss(sent, lost + 1).sends
    assert Loss(sent, lost).chance(3) >= Loss(sent, lost).chance(4)


@pytest.mark.parametrize(
    ("loss", "sends"),
    [
        (Loss(), 20),
        (Loss(1, 0), 19),
        (Loss(120, 0), 3),
        (Loss(300, 0), 3),
        (Loss(300, 30), 7),
        (Loss(300, 90), 12),
        (Loss(300, 120), 16),
        (Loss(300, 200), MOST_SENDS + 1),
    ],
)
def test_three_sends_are_enough_where_hundreds_arrived_and_more_are_needed_where_packets_are_lost(
    loss: Loss, sends: int
) -> None:
    assert loss.sends == sends


def test_who_must_be_heard_is_asked_more_often_since_the_answer_may_be_lost_as_well() -> None:
    clean, lossy = Loss(300, 0), Loss(300, 60)
    assert clean.sends <= asks(clean, clean) < lossy.sends < asks(lossy, lossy)
    assert asks(clean, lossy) == asks(lossy, clean) >= lossy.sends
    assert asks(Loss(300, 150), Loss(300, 150)) > MOST_SENDS


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.2, 0.3, 0.4])
@pytest.mark.parametrize("known", [2, 10, 40, 300])
def test_of_millions_of_probes_less_than_a_handful_is_called_dropped(rate: float, known: int) -> None:
    dice = random.Random(f"{rate} {known}")  # noqa: S311 - dice, not secrets
    wrong, probes = 0.0, 4000
    for _ in range(probes):
        lost = sum(first_seen(dice, rate) for _ in range(known))
        sends = Loss(known + lost, lost).sends
        # The rest is exact: so many packets in a row are lost with this chance.
        wrong += rate**sends if sends <= MOST_SENDS else 0.0
    assert wrong / probes < BY_CHANCE


def first_seen(dice: random.Random, rate: float) -> int:
    """How many packets are lost before the first arrives."""
    return math.floor(math.log(1 - dice.random()) / math.log(rate))
