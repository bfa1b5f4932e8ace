"""Which worker asks which host, and what happens to the hosts of a worker that ends."""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flows._fleet.dask.worker import Parcel, lost, pack_host, pack_task, perform, unpack
from model.errors import SiteError

if TYPE_CHECKING:
    from distributed import Client, Future
    from nornir.core.inventory import Host
    from nornir.core.task import AggregatedResult, MultiResult, Task

# Between a worker's word that it is done and its answer, the worker may end.
_FETCH_SECONDS = 2.0
# Dask tells a client of answers, and not of workers that end.
_LOOK_SECONDS = 0.25
# Dask starts a worker that ended anew, at another address; on a busy machine that takes seconds.
_REPLACED_SECONDS = 15.0
_MOST_WORKERS = 2


@dataclass(frozen=True, slots=True)
class _Asked:
    """
    A host in a worker's hands: its address is the last of `workers`, those before ended over it.

    `ended` is when that one was found to have ended, too.
    """

    host: Host
    workers: tuple[str, ...]
    future: Future
    ended: float = 0.0


class Spread:
    """One task over many hosts; `deadline` in seconds from now."""

    def __init__(
        self, client: Client, task: Task, deadline: float | None, on_done: Callable[[str], None] | None
    ) -> None:
        self.client = client
        self.task = task
        self.end = None if deadline is None else time.monotonic() + deadline
        self.on_done = on_done
        self.order = pack_task(task)
        self.live: list[str] = []
        self.pending: dict[str, _Asked] = {}
        # Hosts whose worker ended, and which no other has taken yet.
        self.suspects: list[_Asked] = []
        self.done: queue.SimpleQueue[tuple[str, Future]] = queue.SimpleQueue()

    def run(self, hosts: list[Host]) -> AggregatedResult:
        """
        Return answers by host; hosts that have not answered by the deadline are left out.

        Raises `SiteError` where there is no worker at all.
        """
        from nornir.core.task import AggregatedResult

        result = AggregatedResult(self.task.name)
        try:
            for name, answer in self._answers(hosts):
                result[name] = answer
                if self.on_done is not None:
                    self.on_done(name)
        finally:
            self.client.cancel([asked.future for asked in self.pending.values()])
        return result

    def _answers(self, hosts: list[Host]) -> Iterator[tuple[str, MultiResult]]:
        self._look()
        if not self.live:
            raise SiteError("config.yaml: the scheduler that `runner` names has no workers; start some")
        # Sent once to every worker, and not with every host.
        shared = self.client.scatter(self.order, broadcast=True, hash=False)
        for host in hosts:
            self._ask(host, shared, (), self.live)
        while (self.pending or self.suspects) and (self.end is None or time.monotonic() < self.end):
            try:
                name, future = self.done.get(timeout=self._timeout())
            except queue.Empty:
                self._orphans()
            else:
                yield from self._answered(name, future)
            yield from self._try_suspects()

    def _ask(self, host: Host, order: Parcel | Future, before: tuple[str, ...], among: list[str]) -> None:
        load = Counter(asked.workers[-1] for asked in self.pending.values())
        worker = min(among, key=lambda address: load[address])
        future = self.client.submit(perform, order, pack_host(host), workers=[worker], pure=False)
        self.pending[host.name] = _Asked(host, (*before, worker), future)
        future.add_done_callback(lambda done: self.done.put((host.name, done)))

    def _answered(self, name: str, future: Future) -> Iterator[tuple[str, MultiResult]]:
        asked = self.pending.get(name)
        if asked is None or asked.future is not future:
            # Somebody else was asked meanwhile.
            return
        try:
            answer: Parcel = future.result(timeout=_FETCH_SECONDS)
        except TimeoutError:
            self.done.put((name, future))
            self._orphans()
            return
        except Exception:  # noqa: BLE001 - workers never raise: whatever this is, the answer went with its worker
            self._suspect(asked)
            return
        del self.pending[name]
        yield name, unpack(answer, asked.host)

    def _orphans(self) -> None:
        """Take hosts out of the hands of workers that are no more."""
        self._look()
        for asked in [asked for asked in self.pending.values() if asked.workers[-1] not in self.live]:
            self._suspect(asked)

    def _suspect(self, asked: _Asked) -> None:
        del self.pending[asked.host.name]
        self.client.cancel([asked.future])
        self.suspects.append(replace(asked, ended=time.monotonic()))

    def _try_suspects(self) -> Iterator[tuple[str, MultiResult]]:
        """
        Ask hosts whose worker ended once more, one at a time of each worker: who ends that one too is known by it.
        """
        if not self.suspects:
            return
        self._look()
        waiting, self.suspects = self.suspects, []
        for asked in waiting:
            others = [address for address in self.live if address not in asked.workers]
            alone = not others and time.monotonic() - asked.ended > _REPLACED_SECONDS
            if alone or len(asked.workers) == _MOST_WORKERS:
                yield asked.host.name, self._lost(asked)
                continue
            busy = {other.workers[-1] for other in self.pending.values() if len(other.workers) > 1}
            free = [address for address in others if address not in busy]
            if free:
                # What was sent to all before may have gone with the worker.
                self._ask(asked.host, self.order, asked.workers, free)
            else:
                self.suspects.append(asked)

    def _lost(self, asked: _Asked) -> MultiResult:
        times = "ended, and so did the next one" if len(asked.workers) > 1 else "ended, and there is no other"
        cause = f"the worker process that asked it {times} ({', '.join(asked.workers)})"
        return lost(asked.host, self.task.name, cause)

    def _look(self) -> None:
        # Not `scheduler_info`: now and then that is the answer to a question of the client itself, which asks for no
        # workers.
        with suppress(OSError):
            self.live = sorted(self.client.sync(self.client.scheduler.identity, n_workers=-1)["workers"])

    def _timeout(self) -> float:
        return _LOOK_SECONDS if self.end is None else max(0.0, min(_LOOK_SECONDS, self.end - time.monotonic()))
