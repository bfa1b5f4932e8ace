"""How far a rollout is: one live line an object that is not ready, on a terminal and elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

from flows._run.context import Context
from flows._run.screen import Advance
from tasks.rollout.waiting import Unready

_FIRST = 5.0
_AGAIN = 30.0


class RolloutProgress:
    """Told by every component's thread what it does and whom it waits for."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._doing: dict[str, str] = {}
        self._told: dict[tuple[str, str], tuple[float, str]] = {}
        self._advance: Advance = lambda _steps: None

    @contextmanager
    def shown(self, total: int) -> Iterator[None]:
        """Show a bar on a terminal while the block runs, of so many components."""
        with self._context.screen.progress(total, self._label) as self._advance:
            yield

    def doing(self, component: str, words: str) -> None:
        """Take note of what a component is at; empty words: it has ended."""
        with self._lock:
            if words:
                self._doing[component] = words
            else:
                self._doing.pop(component, None)
        if not words:
            self._advance(1)

    def waiting(self, component: str, unready: Sequence[Unready]) -> None:
        """Tell who is not ready yet: at once on a terminal, elsewhere when something new is to be said."""
        self.doing_quietly(component, unready)
        for entry in unready:
            self._tell(component, entry)

    def doing_quietly(self, component: str, unready: Sequence[Unready]) -> None:
        """Put the first of those that are not ready beside the bar."""
        first = unready[0]
        more = f" and {len(unready) - 1} more" if len(unready) > 1 else ""
        with self._lock:
            self._doing[component] = f"waiting for {first.line}{more}"

    def _tell(self, component: str, entry: Unready) -> None:
        story = f"{entry.why} {entry.troubles[0].words if entry.troubles else ''}"
        name = (component, str(entry.key))
        with self._lock:
            at, before = self._told.get(name, (monotonic() - entry.seconds, ""))
            due = _AGAIN if story == before else _FIRST
            if monotonic() - at < due:
                return
            self._told[name] = (monotonic(), story)
        self._context.say(f"{component}: waiting for {entry.line}")

    def _label(self) -> str:
        with self._lock:
            doing = [f"{name}: {words}" for name, words in self._doing.items()]
        return "; ".join(doing[:2])[:160] or "rolling out"
