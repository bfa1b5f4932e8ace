"""How are many waits waited for at once, without any of them holding up the end?"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
Job = tuple[str, Callable[[], T]]


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What came of the job `title`: `result` returns it, or raises what ended it."""

    title: str
    result: Callable[[], T]


def run_pool(jobs: Sequence[Job[T]], count: int) -> Iterator[Done[T]]:
    """
    Do jobs in up to `count` threads and yield each as it ends. Closing the iterator lets no further job begin.

    The threads do not outlive the process: Ctrl-C need not wait for a server that says nothing.
    """
    todo: queue.SimpleQueue[Job[T]] = queue.SimpleQueue()
    done: queue.SimpleQueue[Done[T]] = queue.SimpleQueue()
    over = threading.Event()
    for job in jobs:
        todo.put(job)
    for _ in range(min(count, len(jobs))):
        threading.Thread(target=_work, args=(todo, done, over), daemon=True).start()
    try:
        for _ in jobs:
            yield done.get()
    finally:
        over.set()


def _work(todo: queue.SimpleQueue[Job[T]], done: queue.SimpleQueue[Done[T]], over: threading.Event) -> None:
    while not over.is_set():
        try:
            title, work = todo.get_nowait()
        except queue.Empty:
            return
        done.put(Done(title, _outcome(work)))


def _outcome(work: Callable[[], T]) -> Callable[[], T]:
    try:
        value = work()
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that asks for the result
        failure = error

        def fail() -> T:
            raise failure

        return fail
    return lambda: value
