"""What a check could not see, or is not due, is never lost on the way to whoever reads its findings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from model.check import lint, preflight
from model.check.check import Check, NotYet, as_findings, run
from model.check.finding import Finding, Severity, Verdict
from model.check.lint.flaw import LintView
from model.check.preflight.view import PreflightCheck
from model.host.host_facts import Unseen
from tests.model.check.preflight.preflight_data import healthy
from tests.mutation import loaded

TODAY = date(2026, 11, 23)
SITE = loaded()


def half_blind(*_observed: object) -> Iterator[Finding]:
    yield Finding("the first is wrong")
    raise Unseen("nobody showed the second")


def half_due(*_observed: object) -> Iterator[Finding]:
    yield Finding("the first is wrong")
    raise NotYet("the second comes later")


def doubting(*_observed: object) -> Verdict:
    return Verdict(doubt="nobody can tell")


def waiting(*_observed: object) -> Verdict:
    return Verdict(pending="comes later")


def words(*findings: Finding) -> list[tuple[str, str]]:
    return [(str(finding.severity), finding.message) for finding in findings]


def test_findings_made_before_something_could_not_be_seen_are_kept() -> None:
    verdict = run(Check(id="half", judge=half_blind))
    assert (verdict.doubt, verdict.pending) == ("could not be seen: nobody showed the second", "")
    assert words(*verdict.findings) == [("error", "the first is wrong")]
    assert run(Check(id="half", judge=half_due)).pending == "the second comes later"
    assert words(*run(Check(id="half", judge=half_due)).findings) == [("error", "the first is wrong")]


def test_a_verdict_that_is_not_simply_good_is_never_without_a_finding() -> None:
    check: Check[[]] = Check(id="half", judge=doubting, severity=Severity.WARNING)
    for verdict in (Verdict(doubt="x"), Verdict(pending="x"), Verdict(findings=(Finding("x"),))):
        (finding,) = as_findings(check, verdict)
        assert finding.message == "x"
    assert as_findings(check, Verdict("fine")) == ()


@pytest.mark.parametrize(
    ("judge", "expected"),
    [
        (doubting, [("error", "nobody can tell")]),
        (waiting, [("pending", "comes later")]),
        (
            half_blind,
            [("warning", "the first is wrong"), ("error", "could not be seen: nobody showed the second")],
        ),
    ],
)
def test_preflight_tells_what_it_could_not_see(
    judge: Any, expected: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    check: PreflightCheck = Check(id="blind", judge=judge, severity=Severity.WARNING)
    monkeypatch.setattr(preflight, "CHECKS", (check,))
    findings = preflight.examine(SITE, {"db-1": healthy(SITE)["db-1"]}, TODAY)["db-1"]
    assert words(*findings) == expected
    assert {(finding.host, finding.check) for finding in findings} == {("db-1", "blind")}
    assert all(finding.remedy for finding in findings[-1:])


@pytest.mark.parametrize(
    ("judge", "expected", "code"),
    [
        (doubting, [("error", "nobody can tell")], 1),
        (waiting, [("warning", "comes later")], 0),
        (
            half_blind,
            [("warning", "the first is wrong"), ("error", "could not be seen: nobody showed the second")],
            1,
        ),
    ],
)
def test_lint_tells_what_it_could_not_judge(
    judge: Any, expected: list[tuple[str, str]], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule: Check[[LintView]] = Check(id="blind", judge=judge, severity=Severity.WARNING)
    monkeypatch.setattr(lint, "RULES", (rule,))
    findings = [finding for finding in lint.findings(SITE, TODAY) if finding.check == "blind"]
    assert words(*findings) == expected
    assert lint.exit_code(findings) == code
    assert all(finding.file for finding in findings)
