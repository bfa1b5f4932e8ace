"""A change that waits to be confirmed is told with since when, when it ends and what to do."""

from __future__ import annotations

import pytest

from model.ufw.unconfirmed import UnconfirmedChange
from remote.facts.unconfirmed import read

ARMED = "state armed\nsince 1795910758\ntimer 1000.50 ActiveState=active ActiveEnterTimestampMonotonic=994500000 \n"


def test_a_change_that_waits_is_told_whole() -> None:
    found = read(ARMED, "root@controller, process 7")
    assert found is not None
    assert "since 2026-11-29" in found.message
    assert "taken back within 14 s" in found.message
    assert found.next_step.startswith("wait for the run that works on it (root@controller, process 7)")


def test_nobody_works_on_it_any_more() -> None:
    found = read(ARMED, "")
    assert found is not None
    assert "python -m flows.firewall" in found.next_step


@pytest.mark.parametrize(
    "timer",
    ["timer 1000.5 ActiveState=inactive ActiveEnterTimestampMonotonic=0", "timer 1000.5 ", "timer 1000.5 words"],
)
def test_where_no_timer_runs_it_ends_at_the_next_boot(timer: str) -> None:
    found = read(f"state armed\nsince 1795910758\n{timer}\n", "")
    assert found is not None
    assert (found.fires_in, "at its next boot" in found.message) == (None, True)


def test_a_rollback_that_has_fired_counts_more() -> None:
    found = read(f"{ARMED}state fired\nsince 1795910700\ntimer 1000.5 \n", "")
    assert found is not None
    assert (found.state, "may not last" in found.message) == ("fired", True)


def test_nothing_waits() -> None:
    assert read("\n", "somebody") is None


def test_what_no_host_says_is_refused() -> None:
    with pytest.raises(ValueError, match="no state of a rollback"):
        read("state broken\n", "")


def test_without_a_time_it_is_still_told() -> None:
    assert "is not confirmed: unless" in UnconfirmedChange(state="armed").message
