"""A Nornir runner over Dask's workers: hosts spread over processes of this and other machines."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flows._fleet.dask.worker_config import WorkerConfig

if TYPE_CHECKING:
    from nornir.core.inventory import Host
    from nornir.core.task import AggregatedResult, Task


@dataclass(frozen=True)
class DaskRunner(WorkerConfig):
    """
    Run a task on many hosts in Dask's worker processes at a place; what comes out is what threads would bring.

    `deadline` (seconds) and `on_done` are FleetRunner's. A host whose worker process ends is asked once more, by
    another one.
    """

    at_once: int = 32
    deadline: float | None = None
    on_done: Callable[[str], None] | None = None

    def bounded(self, at_once: int, deadline: float | None, on_done: Callable[[str], None] | None) -> DaskRunner:
        """Return it for one run."""
        return replace(self, at_once=at_once, deadline=deadline, on_done=on_done)

    def run(self, task: Task, hosts: list[Host]) -> AggregatedResult:
        """
        Return what the hosts that answered in time answered, and a failure with its cause for each whose workers ended.

        Raises `SiteError` where the scheduler cannot be reached or may not be used.
        """
        # Nobody else pays for importing Dask.
        from flows._fleet.dask.spread import Spread
        from flows._fleet.dask.worker_pool import worker_pool

        threads = math.ceil(min(self.at_once, len(hosts)) / self.workers)
        with worker_pool(self, threads) as client:
            return Spread(client, task, self.deadline, self.on_done).run(hosts)
