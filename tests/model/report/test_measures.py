"""What is measured anew in every run is no statement; everything else is."""

from __future__ import annotations

import pytest

from flows._render.difference import difference
from model.report.measures import rough, statement

EQUAL = [
    ("was looked at as root in 0.18 s", "was looked at as root in 1 s"),
    ("the clock follows fd20:1::1, 0.01 ms off", "the clock follows fd20:1::1, 12.30 ms off"),
    ("etcd 3.6.8, 5.7 MiB of 2048, one of 3 members", "etcd 3.6.8, 15.8 MiB of 2048, one of 3 members"),
    ("3.6.8, 5.7 of 2048 MiB, revision 4711", "3.6.8, 6.0 of 2048 MiB, revision 4911"),
    ("12, the first to expire is /a.crt in 364 days", "12, the first to expire is /a.crt in 363 days"),
    ("looked for security updates 0.4 days ago", "looked for security updates 1.0 days ago"),
    ("not ready after 218 s: 2 wanted", "not ready after 1,269 s: 2 wanted"),
    ("took 2 min 3 s", "took 12 min 13 s"),
    (
        "5 flows are as declared, by 20261128T165817Z-verify_ports",
        "5 flows are as declared, by 20261128T170000Z-verify_ports-2",
    ),
    ("next Sun 2026-11-29 05:00:00 UTC; it has not run yet", "next Mon 2026-11-30 05:00:00 UTC; it has not run yet"),
    ("1 snapshots, the newest of 2026-11-29 05:00 UTC", "1 snapshots, the newest of 2026-11-30 05:00 UTC"),
    ("serving certificate (csr-96jql) approved", "serving certificate (csr-9rng5) approved"),
    ("41% of it is used", "42% of it is used"),
]
DIFFERENT = [
    ("v1.36.3, maintained until 2027-06-28", "v1.36.3, maintained until 2028-06-28"),
    ("cells this host answers for: 119 ok", "cells this host answers for: 120 ok"),
    ("holds 58 rules", "holds 59 rules"),
    ("etcd 3.6.8, one of 3 members", "etcd 3.6.9, one of 3 members"),
    ("etcd 3.6.8, one of 3 members", "etcd 3.6.8, one of 2 members"),
    ("4 CPU and 15.6 GiB of memory", "4 CPU and 7.8 GiB of memory"),
    ("listens on 443", "listens on 8443"),
    ("10.20.1.1 s", "10.20.1.2 s"),
    ("a 3 s", "b 3 s"),
]


def _report(message: str) -> dict[str, object]:
    return {"outcomes": [{"host": "db-1", "subject": "thing", "status": "ok", "message": message}]}


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_two_equal_runs_differ_in_nothing(one: str, other: str) -> None:
    assert statement(one) == statement(other)
    assert rough(one) == rough(other)
    assert difference(_report(one), _report(other)) == []


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_a_statement_that_differs_is_a_difference_in_its_own_words(one: str, other: str) -> None:
    (change,) = difference(_report(one), _report(other))
    assert (change.change, change.before, change.after) == ("changed", f"ok ({one})", f"ok ({other})")


def test_a_fuller_disk_is_no_news() -> None:
    assert rough("3.4 GiB free of 20 GiB") == rough("3.1 GiB free of 20 GiB")


def test_another_status_is_always_a_difference() -> None:
    before, after = _report("in 3 s"), _report("in 4 s")
    after["outcomes"][0]["status"] = "drift"  # type: ignore[index]
    assert [change.change for change in difference(before, after)] == ["changed"]
