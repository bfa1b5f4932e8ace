"""What came of a host that gave no answer: an exception, silence until the deadline, or nobody of that name."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial

from model.errors import FleetError, HostError
from model.report.outcome import Outcome, Status
from model.rollout.veil import veiled


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
    if isinstance(error, FleetError):
        what, step = error.message if isinstance(error, HostError) else str(error), error.next_step
    else:
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        what, step = f"unforeseen: {words}", "report this as a bug, with -v's output"
    return HostFailure(host=name, exception=error, message=veiled(what), next=step, seconds=seconds)


def silence_of(name: str, known: bool, deadline: float | None, seconds: float) -> HostFailure:
    """Return what came of a host of which nothing was heard; `known` is whether the inventory has it."""
    if not known:
        message, step, status, seconds = "is not in the inventory", "correct hosts.yaml", Status.MISSING, 0.0
    elif deadline is not None and seconds >= deadline:
        message, step, status = f"gave no answer in {deadline:g} s", "look at the host's load", Status.FAILED
    else:
        message, step, status = "was asked and never heard of", "run again", Status.MISSING
    return HostFailure(host=name, exception=None, message=message, next=step, seconds=seconds, status=status)
