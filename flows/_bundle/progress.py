"""Bars that a person sees while bytes come in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from flows._run.screen import Advance, Screen


class ProgressBars:
    """Bars on a terminal, fed from many threads; nothing where the screen is calm."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    @contextmanager
    def bar(self, total: int, label: str) -> Iterator[Advance]:
        """Show a bar of steps."""
        with self._screen.progress(total, label) as advance:
            yield advance

    @contextmanager
    def bytes(self, total: int, label: str) -> Iterator[Callable[[int], None]]:
        """Show a bar of bytes with their speed."""
        if self._screen.calm or not self._screen.err.is_terminal:
            yield lambda _count: None
            return
        lock = threading.Lock()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._screen.err, transient=True) as shown:
            task = shown.add_task(label, total=total or None)

            def tell(count: int) -> None:
                with lock:
                    shown.advance(task, count)

            yield tell
