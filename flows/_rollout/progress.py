"""How far a rollout is: a live line for each object that is not ready on a terminal, what changes of it elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

from flows._render.words import counted
from flows._run.context import Context
from flows._run.screen import Advance
from model.rollout.veil import veiled
from tasks.rollout.waiting import Unready

# Who has waited for less, or told something less long ago, has nothing to tell yet.
_PAUSE = 5.0
_MOST = 8


class RolloutProgress:
    """Told by every component's thread what it does and whom it waits for."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._doing: dict[str, str] = {}
        self._unready: dict[str, tuple[Unready, ...]] = {}
        self._told: dict[tuple[str, str], tuple[float, str]] = {}
        self._advance: Advance = lambda _steps: None

    @contextmanager
    def shown(self, total: int) -> Iterator[None]:
        """Show a bar on a terminal while the block runs, of so many components, and under it who is not ready."""
        with self._context.screen.progress(total, self._label, self.lines) as self._advance:
            yield

    def doing(self, component: str, words: str) -> None:
        """Take note of what a component is at; empty words: it has ended."""
        with self._lock:
            self._unready.pop(component, None)
            if words:
                self._doing[component] = words
            else:
                self._doing.pop(component, None)
        if not words:
            self._advance(1)

    def waiting(self, component: str, unready: Sequence[Unready]) -> None:
        """Take note of who is not ready yet, nobody where all are; what is new of each is said, or logged."""
        with self._lock:
            self._unready[component] = tuple(unready)
        for entry in unready[:_MOST]:
            self._tell((component, str(entry.key)), entry.story, f"waiting for {entry.line}", entry.seconds)
        if more := len(unready[_MOST:]):
            self._tell((component, ""), str(more), f"waiting for {more} more", unready[-1].seconds)

    def lines(self) -> list[str]:
        """Return one line an object that is not ready, of all components; what is too much is counted."""
        with self._lock:
            found = [(component, entry) for component, entries in self._unready.items() for entry in entries]
        shown = veiled("\n".join(f"{component}: {entry.line}" for component, entry in found[:_MOST])).splitlines()
        more = len(found) - len(shown)
        return [*shown, f"and {more} more"] if more else shown

    def _tell(self, name: tuple[str, str], story: str, line: str, seconds: float) -> None:
        with self._lock:
            at, before = self._told.get(name, (monotonic() - seconds, ""))
            if story == before or monotonic() - at < _PAUSE:
                return
            self._told[name] = (monotonic(), story)
        screen = self._context.screen
        tell = screen.note if screen.draws else screen.say
        tell(veiled(f"{name[0]}: {line}"))

    def _label(self) -> str:
        with self._lock:
            waiting = {
                name: f"waiting for {counted(len(unready), 'object')}"
                for name, unready in self._unready.items()
                if unready
            }
            doing = [f"{name}: {words}" for name, words in {**self._doing, **waiting}.items()]
        return "; ".join(doing[:2])[:160] or "rolling out"
