"""A run that leaves items of the checklist open says how many, before anything else, and is never simply good."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from checks.items import checklist
from flows._compliance.items import states
from flows._render.coverage import coverage, item_kinds
from flows._render.html import render
from flows._render.html.data import page_data
from flows._render.summary import summary
from flows._render.verdict import headline, verdict
from model.report.outcome import Outcome, Status
from tests.flows.synthetic import report

CHECKS = [{"id": "a/b", "title": "t", "severity": "error", "phase": "host", "section": "S", "looks_at": "x"}]


def item(number: int, state: str, **others: Any) -> dict[str, Any]:
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
        "NOTHING WRONG FOUND with --check a/b: compliance on reference: 1 host as declared by 1 ch"
    )
    assert verdict(document(OPEN, limit="w-1")).startswith(
        "NOTHING WRONG FOUND with --limit w-1, 4 of 8 items open: compliance on reference: 4 of 8 items proven"
    )


@pytest.mark.parametrize("items", [None, proven(3)], ids=["some checks", "all checks"])
def test_a_run_that_left_hosts_out_is_never_simply_good(items: list[dict[str, Any]] | None) -> None:
    some = document(items, limit="w-1")
    assert (some["good"], page_data(some)["partly"]) == (True, True)
    for text in headlines(some):
        assert not re.search(r"\bgood\b", text, re.IGNORECASE), text
        assert "--limit w-1" in text
    assert "NOT AS DECLARED with --limit w-1" in headline(document(items, Status.DRIFT, limit="w-1"))
    assert headline(document(proven(3))) == "GOOD"


def judged(*statuses: tuple[str, Status]) -> dict[str, Any]:
    """Return a document with these outcomes, and one item that all their checks answer for."""
    outcomes = [Outcome("w-1", subject, status, "told") for subject, status in statuses]
    checks = list(dict.fromkeys(subject for subject, _ in statuses))
    return document([item(1, "ok", checks=checks)]) | {"outcomes": [vars_of(outcome) for outcome in outcomes]}


def vars_of(outcome: Outcome) -> dict[str, Any]:
    return {"host": outcome.host, "subject": outcome.subject, "status": outcome.status.value, "message": "told"} | {
        "next": "",
        "evidence": None,
        "seconds": 0.0,
    }


@pytest.mark.parametrize("second", [Status.NOT_RUN, Status.WAIVED])
def test_an_item_is_open_while_one_of_its_checks_is_not_due(second: Status) -> None:
    for statuses in ((("a/b", Status.OK), ("a/c", second)), (("a/b", Status.OK), ("a/b", second))):
        counts = coverage(judged(*statuses))
        assert counts is not None
        assert (counts.proven, counts.not_due, counts.open) == (0, 1, 1)
        assert "0 of 1 items proven, 1 not due yet" in verdict(judged(*statuses))
        assert page_data(judged(*statuses))["items"][0]["state"] == "not_run"
    good = judged(("a/b", Status.OK), ("a/c", Status.CHANGED))
    assert verdict(good).startswith("GOOD: compliance on reference: all 1 items proven; ")
    assert page_data(good)["items"][0]["state"] == "ok"


def test_an_item_is_open_while_one_of_its_checks_was_not_judged_at_all() -> None:
    counts = coverage(document([item(1, "ok", checks=["a/b", "a/never"])]))
    assert counts is not None
    assert (counts.proven, counts.not_due) == (0, 1)


def test_before_a_cluster_its_share_of_an_item_leaves_the_item_open() -> None:
    subjects = {"disks/declared": Status.OK, "disks/space": Status.OK, "cluster/storage-class": Status.NOT_RUN}
    outcomes = [Outcome("w-1", subject, status) for subject, status in subjects.items()]
    items = states(checklist(), outcomes)
    report_of_them = {
        "items": items,
        "outcomes": [{"subject": outcome.subject, "status": outcome.status.value} for outcome in outcomes],
    }
    assert {item["id"]: item["state"] for item in items}["deployer-6"] == "ok"
    assert item_kinds(report_of_them)["deployer-6"] == "not_due"


def test_what_rests_on_the_sites_files_alone_is_told_apart() -> None:
    mixed = judged(("site/domain", Status.OK), ("a/b", Status.OK))
    assert "site's files" not in verdict(mixed)
    mixed["items"] += [item(number, "ok", checks=["site/domain"]) for number in (2, 3)]
    assert "all 3 items proven (2 of them by the site's files); " in verdict(mixed)
    mixed["items"] = mixed["items"][1:] + WAITING
    assert "2 of 5 items proven (all of them by the site's files), 2 wait" in verdict(mixed)


@pytest.mark.parametrize("status", [Status.FAILED, Status.MISSING])
def test_a_run_that_reached_no_host_says_so_first(status: Status) -> None:
    silent = document(proven(3), status)
    for text in headlines(silent):
        assert "NO HOST REACHED" in text.upper()
    assert "NO HOST" not in headline(document(proven(3), Status.UNPROVEN))
    assert "NO HOST" not in headline(judged(("a/b", Status.FAILED), ("a/c", Status.OK)))


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
