"""What a check says: findings with a severity each, or that something is not due yet or could not be seen."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """
    How bad a finding is.

    An error is for a person to repair before anything goes on; a warning can be lived with, or a later step repairs it;
    pending is not wrong yet. `waived` and `drift` are what a waiver of the site, in force or lapsed, makes of both.
    """

    ERROR = "error"
    WARNING = "warning"
    PENDING = "pending"
    WAIVED = "waived"
    DRIFT = "drift"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that is not as it should be, and what a person does about it.

    A judge says `message`, and `remedy` or `severity` where they are not its check's own; the kernel fills in the rest.
    `host` is empty for what is about the site as a whole. `path` is dotted within `file`, `value` what
    stands there, on `line`.
    """

    message: str
    remedy: str = ""
    severity: Severity | None = None
    _: KW_ONLY
    check: str = ""
    host: str = ""
    file: str = ""
    path: str = ""
    value: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What came of one check: findings; `pending` for what is not due yet, `doubt` for what nobody can tell, also beside
    findings that were made before; else all is as declared, in the words of `good`. `evidence` is what was looked at
    (JSON), in every case.
    """

    good: str = ""
    evidence: object = None
    findings: tuple[Finding, ...] = ()
    pending: str = ""
    doubt: str = ""


def flawed(*messages: str, evidence: object = None) -> Verdict:
    """Return a verdict with these findings."""
    return Verdict(evidence=evidence, findings=tuple(Finding(message) for message in messages))


def settled(messages: list[str], good: str, evidence: object = None) -> Verdict:
    """Return findings where there are any, else that all is as declared."""
    return flawed(*messages, evidence=evidence) if messages else Verdict(good, evidence)
