"""What came of one subject on one host, and what it means for the exit code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum


class Status(StrEnum):
    """The eight things an outcome can be."""

    OK = "ok"
    CHANGED = "changed"
    DRIFT = "drift"
    FAILED = "failed"
    UNPROVEN = "unproven"
    MISSING = "missing"
    NOT_RUN = "not_run"
    WAIVED = "waived"


GOOD = 0
REFUSED = 1
DRIFTED = 2
UNKNOWN = 3
INTERRUPTED = 130

EXIT_BY_STATUS = {
    Status.OK: GOOD,
    Status.CHANGED: GOOD,
    Status.WAIVED: GOOD,
    Status.NOT_RUN: GOOD,
    Status.DRIFT: DRIFTED,
    Status.FAILED: UNKNOWN,
    Status.UNPROVEN: UNKNOWN,
    Status.MISSING: UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    One subject on one host.

    `evidence` is any JSON value (a diff, packet counts, a command's answer); `next` says what a person should do;
    `seconds` is wall time.
    """

    host: str
    subject: str
    status: Status
    message: str = ""
    _: KW_ONLY
    next: str = ""
    evidence: object = None
    seconds: float = 0.0


WARNING = {"severity": "warning"}


def warn(host: str, subject: str, message: str, step: str = "") -> Outcome:
    """Return an outcome that is good and that a person should read all the same."""
    return Outcome(host, subject, Status.OK, message, next=step, evidence=WARNING)


def warns(status: str, evidence: object) -> bool:
    """Tell a warning, by what a report keeps of it, from what is simply ok."""
    return status == Status.OK and evidence == WARNING


def worst(codes: Iterable[int]) -> int:
    """Return the exit code that stands for several: interrupted, then 1 before 2 before 3 before 0."""
    seen = set(codes)
    for code in (INTERRUPTED, REFUSED, DRIFTED, UNKNOWN):
        if code in seen:
            return code
    return GOOD
