"""What a rule of lint looks at, and how a flaw in the site's files becomes a finding and a line of the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.errors import FieldError
from model.report.outcome import DRIFTED, GOOD, REFUSED, worst
from model.site.site import Site

EXIT_BY_SEVERITY = {Severity.ERROR: REFUSED, Severity.DRIFT: DRIFTED, Severity.WARNING: GOOD, Severity.WAIVED: GOOD}


@dataclass(frozen=True, slots=True)
class LintView:
    """
    What a rule looks at: the site, and the day on which it is asked.

    `renders`: whether rules may render the application's templates, for which people wait, and flows that only want to
    know whether they can begin do not.
    """

    site: Site
    today: date
    renders: bool = True

    @property
    def now(self) -> datetime:
        """The beginning of the day (UTC)."""
        return datetime(self.today.year, self.today.month, self.today.day, tzinfo=UTC)

    @property
    def production(self) -> Severity:
        """The severity of what a large site needs and a small one may lack."""
        return Severity.WARNING if self.site.settings.size == "small" else Severity.ERROR


Rule = Check[[LintView]]


def flaw(
    file: str,
    path: str,
    *,
    value: object,
    message: str,
    fix: str,
    host: str = "",
    severity: Severity | None = None,
) -> Finding:
    """Return the finding for one place in the site's files; `fix` is what to write there instead."""
    return Finding(message, fix, severity, host=host, file=file, path=path, value=str(value))


def from_schema(errors: Iterable[FieldError]) -> tuple[Finding, ...]:
    """Show the wrong fields of the files as findings of the rule `schema`."""
    return tuple(
        Finding(
            error.message,
            error.fix or "write what is expected",
            Severity.ERROR,
            check="schema",
            file=error.file,
            path=error.path,
            value=error.value,
            line=error.line,
        )
        for error in errors
    )


def as_json(finding: Finding) -> dict[str, object]:
    """Return the finding as the report's schema has it."""
    return {
        "rule": finding.check,
        "severity": str(finding.severity),
        "file": finding.file,
        "path": finding.path,
        "value": finding.value,
        "fix": finding.remedy,
        "message": finding.message,
        "host": finding.host,
    } | ({"line": finding.line} if finding.line else {})


def as_line(finding: Finding) -> str:
    """Return the finding as a person reads it."""
    value = f" (found {finding.value})" if finding.value else ""
    fix = f"; {finding.remedy}" if finding.remedy else ""
    line = f" (line {finding.line})" if finding.line else ""
    return f"{finding.file}: {finding.path}: {finding.message}{value}{fix}{line} [{finding.check}]"


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 1 if any finding is an error, else 2 if any waiver has lapsed, else 0."""
    return worst(EXIT_BY_SEVERITY[finding.severity or Severity.ERROR] for finding in findings)
