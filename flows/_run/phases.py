"""How far a run through phases is: on screen and as events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from time import monotonic

from flows._run.context import Context
from flows._run.progress import spoken
from model.report.outcome import Outcome


class PhaseClock:
    """The phases of one run, `total` of them, one after another."""

    def __init__(self, context: Context, total: int) -> None:
        self._context = context
        self._total = total
        self._number = 0
        self._name = ""
        self._run_started = self._started = monotonic()

    def begin(self, name: str, title: str) -> None:
        """Tell that the next phase begins, and how long the run has taken so far."""
        self._number += 1
        self._name = name
        self._started = monotonic()
        so_far = f" ({spoken(self._started - self._run_started)} so far)" if self._number > 1 else ""
        self._context.say(f"phase {self._number} of {self._total}: {name}: {title}{so_far}")
        self._context.events.write("phase-begun", phase=name, title=title, number=self._number, of=self._total)

    def end(self, outcomes: Iterable[Outcome]) -> float:
        """Tell that the phase has ended, with its outcomes counted by status; return the seconds it took."""
        seconds = round(monotonic() - self._started, 2)
        counts = Counter(str(outcome.status) for outcome in outcomes)
        self._context.events.write("phase-ended", phase=self._name, seconds=seconds, outcomes=counts)
        return seconds
