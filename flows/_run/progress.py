"""How far a step over several hosts is: a bar on a terminal, plain lines elsewhere, and events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from flows._fleet.failure import HostFailure
from flows._render.words import names as named
from flows._run.events import Events
from flows._run.screen import Advance, Screen
from model.report.outcome import EXIT_BY_STATUS, Outcome

# Hosts that are named; the others are counted.
_NAMED = 3
# On a terminal, how long a step may take before it says for whom it waits.
_PATIENCE = 3.0
# Elsewhere, when it says so for the first time, and how often from there on.
_FIRST = 10.0
_AGAIN = 30.0

Judge = Callable[[Any], Iterable[Outcome]]


class HostsAwaited:
    """Who has begun and ended a step, told by `flows._fleet.hosts.run_on_hosts` from any thread."""

    def __init__(self, hosts: Sequence[str], step: str, events: Events, judge: Judge | None) -> None:
        self.step = step
        self.started = monotonic()
        self._events = events
        self._judge = judge
        self._lock = threading.Lock()
        self._total = len(hosts)
        self._awaited = dict.fromkeys(hosts)
        self._unended = dict.fromkeys(hosts)
        self._begun: dict[str, float] = {}
        self._advance: Advance = lambda _steps: None

    def begun(self, host: str) -> None:
        """Take note that a host's turn has come."""
        with self._lock:
            self._begun[host] = monotonic()
        self._events.write("host-begun", host=host, step=self.step)

    def ended(self, host: str, answer: object) -> None:
        """Take note of what came of a host; only the first answer counts."""
        with self._lock:
            if host not in self._unended:
                return
            del self._unended[host]
            seconds = round(monotonic() - self._begun.get(host, self.started), 3)
        status, message = _came_of(answer, self._judge)
        self._events.write("host-ended", host=host, step=self.step, status=status, message=message, seconds=seconds)

    def answered(self, host: str) -> None:
        """Take note that a host is no longer waited for."""
        with self._lock:
            self._awaited.pop(host, None)
        self._advance(1)

    def label(self) -> str:
        """Return the text beside the bar."""
        waiting = self._waiting() if monotonic() - self.started >= _PATIENCE else ""
        return f"{self.step}, {waiting}" if waiting else self.step

    def line(self) -> str:
        """Return a line that says how far the step is, and for whom it waits."""
        with self._lock:
            done = self._total - len(self._awaited)
        parts = (
            f"{self.step}: {done} of {self._total} hosts after {spoken(monotonic() - self.started)}",
            self._waiting(),
        )
        return ", ".join(filter(None, parts))

    def _waiting(self) -> str:
        with self._lock:
            awaited = list(self._awaited)
        return f"waiting for {named(awaited, _NAMED)}" if awaited else ""

    @contextmanager
    def shown(self, screen: Screen) -> Iterator[None]:
        """Show it while the block runs."""
        over = threading.Event()
        if not screen.draws:
            threading.Thread(target=self._tell, args=(screen, over), name="progress", daemon=True).start()
        try:
            with screen.progress(self._total, self.label) as self._advance:
                yield
        finally:
            over.set()

    def _tell(self, screen: Screen, over: threading.Event) -> None:
        pause = _FIRST
        while not over.wait(pause):
            screen.say(self.line())
            pause = _AGAIN


def _came_of(answer: object, judge: Judge | None) -> tuple[str, str]:
    """Return the worst status among an answer's outcomes and its message; `answered` for facts, which nobody judged."""
    if isinstance(answer, HostFailure):
        return answer.status, answer.message
    outcomes = [answer] if isinstance(answer, Outcome) else list(judge(answer)) if judge else []
    if not outcomes:
        return "answered", ""
    worst = max(outcomes, key=lambda outcome: EXIT_BY_STATUS[outcome.status])
    return worst.status, worst.message


def spoken(seconds: float) -> str:
    """Write a length of time for a person: `45 s`, `3 min 5 s`, `1 h 0 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
