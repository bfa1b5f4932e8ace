"""What a rule says about a site, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, asdict, dataclass
from datetime import date
from typing import Literal

from model.errors import FieldError
from model.report.outcome import DRIFTED, GOOD, REFUSED, worst
from model.site.site import Site

# `drift` is an error or warning whose waiver has lapsed, and the lapsed waiver itself.
Severity = Literal["error", "warning", "waived", "drift"]
EXIT_BY_SEVERITY = {"error": REFUSED, "drift": DRIFTED, "warning": GOOD, "waived": GOOD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One flaw in the site's files: `path` is dotted within `file`, `value` what was found there, `fix` what to write
    instead.

    `host` is the host it is about, or empty; a waiver may name it.
    """

    rule: str
    severity: Severity
    file: str
    path: str
    value: str
    fix: str
    message: str = ""
    host: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the finding as the report's schema has it."""
        return {key: str(value) for key, value in asdict(self).items()}

    def __str__(self) -> str:
        shown = f" (found {self.value})" if self.value else ""
        fix = f"; {self.fix}" if self.fix else ""
        return f"{self.file}: {self.path}: {self.message}{shown}{fix} [{self.rule}]"


@dataclass(frozen=True, slots=True)
class Flaw:
    """What a rule yields; its name and usual severity come from the rule."""

    file: str
    path: str
    _: KW_ONLY
    value: object
    message: str
    fix: str
    host: str = ""
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What a rule looks at: the site, and the day on which it is asked."""

    site: Site
    today: date

    @property
    def production(self) -> Severity:
        """The severity of what a large site needs and a small one may lack."""
        return "warning" if self.site.settings.size == "small" else "error"


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule; `check` yields a flaw for each place that breaks it, `why` says what goes wrong otherwise."""

    name: str
    severity: Severity
    why: str
    check: Callable[[View], Iterable[Flaw]]

    def findings(self, view: View) -> tuple[Finding, ...]:
        """Apply the rule."""
        return tuple(
            Finding(
                rule=self.name,
                severity=flaw.severity or self.severity,
                file=flaw.file,
                path=flaw.path,
                value=str(flaw.value),
                fix=flaw.fix,
                message=flaw.message,
                host=flaw.host,
            )
            for flaw in self.check(view)
        )


def from_schema(errors: Iterable[FieldError]) -> tuple[Finding, ...]:
    """Show the wrong fields of the files as findings of the rule `schema`."""
    return tuple(
        Finding(
            rule="schema",
            severity="error",
            file=error.file,
            path=error.path,
            value=error.value,
            fix=error.fix or "write what is expected",
            message=error.message,
        )
        for error in errors
    )


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 1 if any finding is an error, else 2 if any waiver has lapsed, else 0."""
    return worst(EXIT_BY_SEVERITY[finding.severity] for finding in findings)
