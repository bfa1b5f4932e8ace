"""What came of a host that gave no answer: an exception, silence until the deadline, or nobody of that name."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial

from model.errors import FleetError, HostError
from model.report.outcome import Outcome, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFailure:
    """What came of a host that gave no answer: `status` is failed, or missing where nothing was heard of it at all."""

    host: str
    exception: Exception | None
    message: str
    next: str = ""
    seconds: float = 0.0
    status: Status = Status.FAILED

    def __reduce__(self) -> tuple[object, ...]:
        """
        Between processes only errors of this project travel: others may not know how, and the message holds their text.
        """
        error = self.exception if isinstance(self.exception, FleetError) else None
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return partial(HostFailure, **{**values, "exception": error}), ()

    def outcome(self, subject: str = "connection") -> Outcome:
        """Return it as an outcome of the report."""
        return Outcome(
            self.host, subject, self.status, self.message, next=self.next, evidence=None, seconds=self.seconds
        )


def failure_of(name: str, error: Exception, seconds: float) -> HostFailure:
    """Return what came of a host whose task ended in an exception."""
    if isinstance(error, HostError):
        return HostFailure(host=name, exception=error, message=error.message, next=error.next_step, seconds=seconds)
    if isinstance(error, FleetError):
        return HostFailure(host=name, exception=error, message=str(error), next=error.next_step, seconds=seconds)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return HostFailure(
        host=name,
        exception=error,
        message=f"unforeseen: {what}",
        next="report this as a bug, with -v's output",
        seconds=seconds,
    )


def silence_of(name: str, known: bool, deadline: float | None, seconds: float) -> HostFailure:
    """Return what came of a host of which nothing was heard; `known` is whether the inventory has it."""
    if not known:
        return HostFailure(
            host=name,
            exception=None,
            message="is not in the inventory",
            next="correct hosts.yaml",
            status=Status.MISSING,
        )
    if deadline is not None and seconds >= deadline:
        return HostFailure(
            host=name,
            exception=None,
            message=f"gave no answer in {deadline:g} s",
            next="look at the host's load",
            seconds=seconds,
        )
    return HostFailure(
        host=name,
        exception=None,
        message="was asked and never heard of",
        next="run again",
        seconds=seconds,
        status=Status.MISSING,
    )
