"""A pool of daemon threads: many jobs at once, none of which can hold up the end."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
Job = tuple[str, Callable[[], T]]


@dataclass(frozen=True, slots=True)
class JobResult(Generic[T]):
    """What came of the job `title`: the one value that it returned in `values`, or the exception that ended it."""

    title: str
    values: tuple[T, ...] = ()
    failure: BaseException | None = None

    def value(self) -> T:
        """Return what the job returned, or raise what ended it."""
        if self.failure is not None:
            raise self.failure
        return self.values[0]


def run_pool(jobs: Sequence[Job[T]], count: int, deadline: float | None = None) -> Generator[JobResult[T], None, None]:
    """
    Do jobs in up to `count` threads and yield each as it ends, for no longer than `deadline` seconds.

    Closing the iterator lets no further job begin. The threads do not outlive the process: Ctrl-C need not wait for a
    server that says nothing.
    """
    waiting: queue.SimpleQueue[Job[T]] = queue.SimpleQueue()
    ended: queue.SimpleQueue[JobResult[T]] = queue.SimpleQueue()
    over = threading.Event()
    for job in jobs:
        waiting.put(job)
    for number in range(min(count, len(jobs))):
        threading.Thread(target=_run_jobs, args=(waiting, ended, over), name=f"pool-{number}", daemon=True).start()
    end = None if deadline is None else time.monotonic() + deadline
    try:
        for _ in jobs:
            yield ended.get(timeout=None if end is None else max(0.0, end - time.monotonic()))
    except queue.Empty:
        return
    finally:
        over.set()


def _run_jobs(
    waiting: queue.SimpleQueue[Job[T]], ended: queue.SimpleQueue[JobResult[T]], over: threading.Event
) -> None:
    while not over.is_set():
        try:
            title, job = waiting.get_nowait()
        except queue.Empty:
            return
        ended.put(_outcome(title, job))


def _outcome(title: str, job: Callable[[], T]) -> JobResult[T]:
    # Whatever ends a job, even SystemExit, must not take the jobs along that this thread has yet to do.
    try:
        return JobResult(title, (job(),))
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that asks for the value
        return JobResult(title, failure=error)
