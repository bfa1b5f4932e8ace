"""A Nornir runner that no single host can hold up."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

from nornir.core.inventory import Host
from nornir.core.task import AggregatedResult, MultiResult, Task


@runtime_checkable
class Bounded(Protocol):
    """A runner of this project: it can be told when to stop and whom to tell."""

    def bounded(self, at_once: int, deadline: float | None, on_done: Callable[[str], None] | None) -> Bounded:
        """
        Return one for a single run: `at_once` hosts at a time, `deadline` in seconds, `on_done` in the caller's thread.
        """

    def run(self, task: Task, hosts: list[Host]) -> AggregatedResult:
        """Return what the hosts that answered in time answered."""


class FleetRunner:
    """
    Run a task on many hosts at once, in threads that do not outlive the process.

    `deadline` is in seconds from the start; hosts that have not answered by then are left out of the result. Ctrl-C
    takes effect at once. `on_done` is called with a host's name in the caller's thread.
    """

    def __init__(
        self,
        num_workers: int = 32,
        deadline: float | None = None,
        on_done: Callable[[str], None] | None = None,
    ) -> None:
        self.num_workers = num_workers
        self.deadline = deadline
        self.on_done = on_done

    def bounded(self, at_once: int, deadline: float | None, on_done: Callable[[str], None] | None) -> FleetRunner:
        """Return one for a single run, for `at_once` hosts at a time."""
        return FleetRunner(at_once, deadline, on_done)

    def run(self, task: Task, hosts: list[Host]) -> AggregatedResult:
        """Return what the hosts that answered in time answered."""
        todo: queue.SimpleQueue[Host] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[str, MultiResult | None]] = queue.SimpleQueue()
        over = threading.Event()
        for host in hosts:
            todo.put(host)
        for number in range(min(self.num_workers, len(hosts))):
            threading.Thread(target=_work, args=(task, todo, done, over), name=f"host-{number}", daemon=True).start()
        try:
            return self._collect(task, len(hosts), done)
        finally:
            over.set()

    def _collect(self, task: Task, count: int, done: queue.SimpleQueue[Any]) -> AggregatedResult:
        result = AggregatedResult(task.name)
        end = None if self.deadline is None else time.monotonic() + self.deadline
        for _ in range(count):
            try:
                name, answer = done.get(timeout=None if end is None else max(0.0, end - time.monotonic()))
            except queue.Empty:
                break
            if answer is not None:
                result[name] = answer
            if self.on_done is not None:
                self.on_done(name)
        return result


def _work(
    task: Task,
    todo: queue.SimpleQueue[Host],
    done: queue.SimpleQueue[tuple[str, MultiResult | None]],
    over: threading.Event,
) -> None:
    while not over.is_set():
        try:
            host = todo.get_nowait()
        except queue.Empty:
            return
        answer = None
        # Whatever ends a task, even SystemExit, must not take the hosts along that this thread has yet to ask.
        with suppress(BaseException):
            answer = task.copy().start(host)
        done.put((host.name, answer))
