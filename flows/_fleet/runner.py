"""A Nornir runner that no single host can hold up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Protocol, runtime_checkable

from nornir.core.inventory import Host
from nornir.core.task import AggregatedResult, MultiResult, Task

from flows._fleet.pool import run_pool


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
        jobs = [(host.name, partial(_start, task, host)) for host in hosts]
        result = AggregatedResult(task.name)
        with closing(run_pool(jobs, self.num_workers, self.deadline)) as ended:
            for job in ended:
                # What only an exception came of is no answer; whoever asked misses the host.
                if job.failure is None:
                    result[job.title] = job.value()
                if self.on_done is not None:
                    self.on_done(job.title)
        return result


def _start(task: Task, host: Host) -> MultiResult:
    return task.copy().start(host)
