"""The one place that runs something on hosts: everybody who was asked is heard of, whatever happens to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from flows._fleet.failure import HostFailure, failure_of, silence_of
from flows._fleet.watch import Watch

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.inventory import Host
    from nornir.core.task import Result, Task

T = TypeVar("T")

_CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    value: T


def run_on_hosts(
    nr: Nornir,
    task: Callable[[Host], T],
    *,
    names: Sequence[str],
    workers: int = 32,
    on_done: Callable[[str], None] | None = None,
    deadline: float | None = None,
    apart: bool = False,
    watch: Watch | None = None,
) -> dict[str, T | HostFailure]:
    """
    Run a function on every named host, `workers` at a time; the result has every name, in the order of `names`.

    It runs in threads of this process; where `apart` says that it needs nothing of this process and leaves nothing
    behind, by the runner that config.yaml names.

    An exception becomes that host's failure. Hosts that have not answered after `deadline` seconds are failures too and
    are not waited for. `on_done` is called in this thread; `watch` is told more. Only KeyboardInterrupt and its like
    pass through.
    """
    from flows._fleet.runner import Bounded, FleetRunner

    wanted = frozenset(names)
    # Nornir leaves out hosts that failed before; what failed once may answer now.
    nr.data.reset_failed_hosts()
    chosen = nr.filter(filter_func=lambda host: host.name in wanted)
    kind = nr.runner if apart and isinstance(nr.runner, Bounded) else FleetRunner()
    runner = kind.bounded(min(workers, max(1, len(wanted))), deadline, watch.answered if watch else on_done)
    # What goes to other processes takes nothing along that is only here.
    function = _watched(task, watch) if watch and isinstance(kind, FleetRunner) else task
    started = time.monotonic()
    heard = chosen.with_runner(runner).run(
        task=_guarded, name="run_on_hosts", on_failed=True, raise_on_error=False, function=function
    )
    seconds = time.monotonic() - started
    answers: dict[str, T | HostFailure] = {}
    for name in names:
        first = heard[name][0] if name in heard else None
        answer = first.result if first else None
        if isinstance(answer, _Answer):
            answers[name] = answer.value
        elif isinstance(answer, HostFailure):
            answers[name] = answer
        elif first is not None and isinstance(first.exception, Exception):
            answers[name] = failure_of(name, first.exception, seconds)
        else:
            answers[name] = silence_of(name, name in chosen.inventory.hosts, deadline, seconds)
        if watch:
            watch.ended(name, answers[name])
    return answers


def _watched(task: Callable[[Host], T], watch: Watch) -> Callable[[Host], T]:
    """Return the task that also says when it begins and, with its answer, when it ends, failures left out."""

    def watched(host: Host) -> T:
        watch.begun(host.name)
        started = time.monotonic()
        try:
            answer = task(host)
        except Exception as error:
            watch.ended(host.name, failure_of(host.name, error, time.monotonic() - started))
            raise
        watch.ended(host.name, answer)
        return answer

    return watched


def _guarded(task: Task, function: Callable[[Host], T]) -> Result:
    from nornir.core.task import Result

    started = time.monotonic()
    try:
        return Result(task.host, result=_Answer(function(task.host)))
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with one host ends here, as that host's failure
        return Result(task.host, result=failure_of(task.host.name, error, time.monotonic() - started))


@contextmanager
def closing(nr: Nornir) -> Iterator[None]:
    """Close all connections when the block ends."""
    try:
        yield
    finally:
        close(nr)


def close(nr: Nornir, seconds: float = _CLOSE_SECONDS) -> None:
    """Close all connections at once, waiting no longer than `seconds` for all of them."""
    connected = [name for name, host in nr.inventory.hosts.items() if host.connections]
    run_on_hosts(nr, lambda host: host.close_connections(), names=connected, deadline=seconds)
