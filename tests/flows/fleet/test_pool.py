"""Jobs in a pool of threads: each result comes as its job ends, and nothing waits for what was given up."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from flows._fleet.pool import run_pool


def test_each_result_comes_under_its_title_and_failures_do_not_stop_the_others() -> None:
    def fail() -> int:
        raise SystemExit("enough")

    results = {result.title: result for result in run_pool([("a", lambda: 1), ("b", fail), ("c", lambda: 3)], 1)}
    assert {title: result.failure is None for title, result in results.items()} == {"a": True, "b": False, "c": True}
    assert (results["a"].value(), results["c"].value()) == (1, 3)
    with pytest.raises(SystemExit, match="enough"):
        results["b"].value()


def test_what_has_not_ended_by_the_deadline_is_not_waited_for() -> None:
    never = threading.Event()
    started = time.monotonic()
    results = list(run_pool([("quick", lambda: True), ("stuck", never.wait)], 2, deadline=0.3))
    assert [result.title for result in results] == ["quick"]
    assert time.monotonic() - started < 5
    never.set()


def test_closing_lets_no_further_job_begin() -> None:
    begun: list[int] = []
    hold = threading.Event()

    def job(number: int) -> int:
        begun.append(number)
        if number:
            hold.wait(5)
        return number

    results = run_pool([(str(number), partial(job, number)) for number in range(9)], 1)
    assert next(results).value() == 0
    results.close()
    hold.set()
    time.sleep(0.1)
    assert len(begun) <= 2
