"""A run that leaves items of the checklist open says how many, before anything else, and is never simply good."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from flows._render.coverage import coverage
from flows._render.html import render
from flows._render.html.data import page_data
from flows._render.summary import summary
from flows._render.verdict import headline, verdict
from model.report.outcome import Outcome, Status
from tests.flows.synthetic import report

CHECKS = [{"id": "a/b", "title": "t", "severity": "error", "phase": "host", "section": "S", "looks_at": "x"}]


def item(number: int, state: str, **others: str) -> dict[str, Any]:
    kind = "later" if others.get("later") else "manual" if others.get("who") else "automated"
    base = {"id": f"a-{number}", "section": "Phase 1.1 PostgreSQL", "number": number, "title": "t", "kind": kind}
    return {**base, "checks": [], "who": "", "later": "", "where": "", "state": state, **others}


def document(items: list[dict[str, Any]] | None, status: Status = Status.OK, **extra: object) -> dict[str, Any]:
    changed = replace(
        report(flow="compliance"),
        hosts=("w-1",),
        outcomes=(Outcome("w-1", "a/b", status, "told", next="mend it"),),
        cells=None,
        probes=None,
        loss=None,
        extra={"checks": CHECKS, "roles": {}, **({} if items is None else {"items": items}), **extra},
    )
    return changed.to_json()


def proven(count: int) -> list[dict[str, Any]]:
    return [item(number, "ok") for number in range(count)]


WAITING = [item(10, "not_run", later="PostgreSQL"), item(11, "not_run", later="Redis"), item(12, "not_run", who="ops")]
WAIVED = [item(13, "waived")]
OPEN = [*proven(4), *WAITING, *WAIVED]


def headlines(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return everything by which a reader takes in a report's result at a glance."""
    title = re.search(r"<title>(.*?)</title>", render(document))
    assert title
    return headline(document), verdict(document), summary(document)[0].text, page_data(document)["headline"], title[1]


def test_open_items_lead() -> None:
    answer = verdict(document(OPEN))
    assert answer.startswith("NOTHING WRONG FOUND, 4 of 8 items open: compliance on reference: 4 of 8 items proven, ")
    assert "2 wait for the rollout (PostgreSQL, Redis), 1 waits for a person's tick, 1 waived; 1 host as" in answer


@pytest.mark.parametrize("rest", [WAITING, WAIVED, [item(9, "not_run")]], ids=["waiting", "waived", "not due"])
def test_nothing_says_good_while_an_item_is_open(rest: list[dict[str, Any]]) -> None:
    for text in headlines(document([*proven(4), *rest])):
        assert not re.search(r"\bgood\b", text, re.IGNORECASE), text
        assert f"{len(rest)} of {4 + len(rest)} items open" in text or "NOTHING WRONG FOUND" in text


def test_the_page_and_the_screen_are_not_green_while_an_item_is_open() -> None:
    assert page_data(document(OPEN))["partly"] is True
    assert "green" not in summary(document(OPEN))[0].style
    assert page_data(document(proven(3)))["partly"] is False
    assert "green" in summary(document(proven(3)))[0].style


def test_with_no_item_open_it_is_good() -> None:
    answer = verdict(document(proven(3)))
    assert answer.startswith("GOOD: compliance on reference: all 3 items proven; 1 host as declared, ")


def test_only_waived_ones_are_open_too() -> None:
    answer = verdict(document([*proven(3), *WAIVED]))
    assert answer.startswith(
        "NOTHING WRONG FOUND, 1 of 4 items open: compliance on reference: 3 of 4 items proven, 1 wai"
    )


def test_what_is_wrong_or_not_known_comes_before_what_waits() -> None:
    items = [*proven(1), item(1, "drift"), item(2, "failed"), item(3, "missing"), *WAITING]
    answer = verdict(document(items, Status.DRIFT))
    assert answer.startswith(
        "NOT AS DECLARED: compliance on reference: 1 of 7 items proven, 1 not as declared, 2 not known, 2 wait for"
    )


def test_a_run_of_some_checks_or_hosts_says_so() -> None:
    assert verdict(document(None)).startswith(
        "NOTHING WRONG FOUND: compliance on reference: 1 host as declared by 1 ch"
    )
    assert "with --limit w-1: 4 of 8 items proven" in verdict(document(OPEN, limit="w-1"))


def test_exit_code_and_good_of_the_report_are_untouched() -> None:
    assert (document(OPEN)["exit"], document(OPEN)["good"]) == (0, True)


def test_every_item_is_counted_once_and_an_unheard_of_state_is_not_proven() -> None:
    items = [*OPEN, item(20, "drift"), item(21, "unproven"), item(22, "shiny")]
    counts = coverage(document(items))
    assert counts is not None
    parts = (counts.proven, counts.drift, counts.unknown, counts.rollout, counts.ticks, counts.not_due, counts.waived)
    assert parts == (4, 1, 2, 2, 1, 0, 1)
    assert sum(parts) == counts.total == counts.open + counts.proven
    assert coverage(report().to_json()) is None
