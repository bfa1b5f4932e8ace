"""Sets of ports as a person writes them."""

from __future__ import annotations

import pytest

from model import bits
from model.packets.port_ranges import ranges


@pytest.mark.parametrize(("most", "text"), [(None, "22, 80-90, 443"), (2, "22, 80-90"), (5, "22, 80-90, 443")])
def test_ports_are_intervals_and_single_numbers(most: int | None, text: str) -> None:
    assert ranges(bits.from_intervals([(22, 22), (80, 90), (443, 443)]), most) == text


def test_no_port_is_no_text() -> None:
    assert ranges(0) == ""
