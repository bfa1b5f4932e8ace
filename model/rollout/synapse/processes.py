"""Which Synapse processes a site runs, what each is called, and who does which duty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from model.kubernetes.service_names import pod_name
from model.rollout.synapse.duties import SIZES, Duty, ProcessPool, duties
from model.site.settings import Settings
from model.site.sizing import step

MAIN = "main"
# Synapse's own name of the main process where streams and duties are given away.
MASTER = "master"
REPLICATION_PORT = 9093
MAIN_PORT, WORKER_PORT, HEALTH_PORT = 8008, 8083, 9001


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process; its name is that of its pod, and Synapse's `worker_name`."""

    pool: ProcessPool
    ordinal: int
    namespace: str

    @property
    def name(self) -> str:
        """The pod's name."""
        return f"{service(self.pool)}-{self.ordinal}"

    @property
    def address(self) -> str:
        """The pod's name in DNS."""
        return pod_name(self.name, service(self.pool), self.namespace)


def service(pool: ProcessPool) -> str:
    """Return what a pool's StatefulSet and its Service are called."""
    return f"synapse-{pool.name}"


@dataclass(frozen=True, kw_only=True)
class Processes:
    """The processes of a site, and the shares of its duties; `autoscaled`: load decides how many some pools have."""

    size: str | int
    pools: tuple[ProcessPool, ...]
    duties: tuple[Duty, ...]
    namespace: str
    autoscaled: bool = False

    @cached_property
    def column(self) -> int:
        """The place of the site's size in the counts of `duties.yaml`."""
        return SIZES.index(self.size)

    def instances(self, pool: ProcessPool) -> int:
        """Return how many processes the pool has here."""
        return pool.instances[self.column]

    def of(self, pool: ProcessPool) -> tuple[Process, ...]:
        """Return the processes of a pool."""
        count = self.instances(pool)
        return tuple(Process(pool=pool, ordinal=number, namespace=self.namespace) for number in range(count))

    @cached_property
    def all(self) -> tuple[Process, ...]:
        """Every process, main first."""
        return tuple(process for pool in self.pools for process in self.of(pool))

    @cached_property
    def by_pool(self) -> Mapping[str, ProcessPool]:
        """The pools the site has, by name."""
        return {pool.name: pool for pool in self.pools}

    @property
    def main(self) -> Process:
        """The main process."""
        return self.of(self.by_pool[MAIN])[0]

    def home(self, duty: Duty) -> ProcessPool:
        """Return the pool that does a duty here."""
        return self.by_pool[next((name for name in (*duty.pools, MAIN) if name in self.by_pool), MAIN)]

    def doing(self, duty: Duty) -> tuple[str, ...]:
        """Return what Synapse calls the processes that do a duty; the first alone where only one may."""
        names = tuple(MASTER if self.is_main(process) else process.name for process in self.of(self.home(duty)))
        return names if duty.writers == "sharded" else names[:1]

    def is_main(self, process: Process) -> bool:
        """Return whether it is the main process."""
        return process.pool.name == MAIN

    @cached_property
    def writers(self) -> tuple[Process, ...]:
        """Every process that others must reach for replication, main first."""
        names = {name for duty in self.duties if duty.stream for name in self.doing(duty)}
        return (self.main, *(process for process in self.all if process.name in names))


def processes(settings: Settings, namespace: str) -> Processes:
    """Return the processes a site runs, by its size and features."""
    size = "small" if settings.size == "small" else step(settings.concurrent_users)
    table = duties()
    column = SIZES.index(size)
    pools = tuple(pool for pool in table.pools if pool.instances[column] and settings.active.issuperset(pool.when))
    autoscaled = settings.features.autoscaling
    return Processes(size=size, pools=pools, duties=table.duties, namespace=namespace, autoscaled=autoscaled)
