"""Claims about what somebody is told: each thing once, its end once, nothing because a number moved."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from model.report.news import NewsItem, news, subject_line, text

EVE = NewsItem("drift", "eve may become root")


def outcome(host: str, subject: str, status: str, message: str = "") -> dict[str, Any]:
    """Return an outcome as a report has it."""
    return {"host": host, "subject": subject, "status": status, "message": message}


def test_what_is_new_is_told_and_what_was_told_is_not_told_again() -> None:
    report = [outcome("w-1", "users/sudo", "drift", EVE.message), outcome("w-1", "swap/off", "ok")]
    first = news({}, report, whole=True)
    assert first.new == {"w-1 users/sudo": EVE}
    assert not news(first.standing, report, whole=True)


def test_what_is_gone_is_told_with_what_was_said_of_it() -> None:
    unread = news({"w-1 users/sudo": EVE}, [outcome("w-1", "users/sudo", "ok")], whole=True)
    assert (unread.new, unread.gone, unread.standing) == ({}, {"w-1 users/sudo": EVE}, {})


def test_another_status_or_other_words_are_news() -> None:
    sent = {"w-1 users/sudo": EVE}
    for status, message in (("failed", EVE.message), ("drift", "eve and mallory may become root")):
        unread = news(sent, [outcome("w-1", "users/sudo", status, message)], whole=True)
        assert unread.changed == {"w-1 users/sudo": NewsItem(status, message)}


def test_a_measure_that_moved_is_no_news_and_a_port_is() -> None:
    for before, after in (
        ("expires in 10 days", "expires in 9 days"),
        ("/ has 9.5% free", "/ has 9.4% free"),
        ("gave no answer in 10.1 s", "gave no answer in 12 s"),
        ("has 1,024 MiB", "has 998 MiB"),
    ):
        assert not news({"w-1 x": NewsItem("drift", before)}, [outcome("w-1", "x", "drift", after)], whole=True)
    for before, after in (
        ("listens on 23/tcp", "listens on 24/tcp"),
        ("db-1 may", "db-2 may"),
        ("10.0.0.1 s", "10.0.0.2 s"),
    ):
        assert news({"w-1 x": NewsItem("drift", before)}, [outcome("w-1", "x", "drift", after)], whole=True).changed


def test_a_run_of_a_part_says_nothing_of_the_rest_and_a_whole_one_does() -> None:
    sent = {"w-1 users/sudo": EVE, "gone-1 users/sudo": EVE}
    report = [outcome("w-1", "users/sudo", "drift", EVE.message)]
    part = news(sent, report, whole=False)
    assert not part
    assert part.standing == sent
    assert set(news(sent, report, whole=True).gone) == {"gone-1 users/sudo"}


def test_waived_and_not_run_are_good() -> None:
    assert not news({}, [outcome("a", "b", "waived", "x"), outcome("a", "c", "not_run", "y")], whole=True)


def test_a_dead_host_is_one_line() -> None:
    unread = news({}, [outcome("w-1", f"check/{n}", "failed", "no connection") for n in range(40)], whole=True)
    lines = [line for line in text("s", "r", unread).splitlines() if line.startswith("NEW")]
    assert lines == ["NEW  w-1 check/0, check/1, check/2 and 37 more: failed: no connection"]
    assert subject_line("s", unread) == "s: 40 new; 40 not good in all"


def test_of_what_is_gone_the_beginning_is_told() -> None:
    unread = news({"w-1 a/b": NewsItem("drift", "x" * 500)}, [outcome("w-2", "a/b", "drift", "y" * 500)], whole=True)
    assert "w-1 a/b: drift: " + "x" * 120 + "...\n" in text("s", "r", unread)
    assert "y" * 500 in text("s", "r", unread)


def test_data_for_programs_has_host_and_subject_apart() -> None:
    unread = news({"w-1 a/b": EVE}, [outcome("w-2", "users/sudo", "drift", "x")], whole=True)
    assert unread.to_json() == {
        "new": [{"host": "w-2", "subject": "users/sudo", "status": "drift", "message": "x"}],
        "changed": [],
        "gone": [{"host": "w-1", "subject": "a/b", "status": "drift", "message": EVE.message}],
        "standing": 1,
    }


_REPORTS = st.lists(
    st.builds(
        outcome,
        st.sampled_from("ab"),
        st.sampled_from("xyz"),
        st.sampled_from(["ok", "drift", "failed"]),
        st.sampled_from("mn"),
    ),
    unique_by=lambda row: (row["host"], row["subject"]),
)


@given(st.lists(_REPORTS, max_size=5), st.booleans())
def test_whoever_is_told_all_news_knows_what_stands(reports: list[list[dict[str, Any]]], whole: bool) -> None:
    known: dict[str, NewsItem] = {}
    standing: Any = {}
    for report in reports:
        unread = news(standing, report, whole=whole)
        assert bool(unread) == (dict(unread.standing) != dict(standing))
        known = {
            key: finding for key, finding in {**known, **unread.new, **unread.changed}.items() if key not in unread.gone
        }
        standing = unread.standing
        assert known == dict(standing)
        assert not news(standing, report, whole=whole)
