"""What the PostgreSQL cluster's templates need to know of the site: instances, disks, memory, connections."""

from __future__ import annotations

from dataclasses import dataclass

from model.rollout.placement import disks, replicas, roles
from model.rollout.scale import users
from model.rollout.synapse.homeserver import CONNECTIONS, SPARE_CONNECTIONS
from model.rollout.synapse.processes import processes
from model.rollout.values import seaweedfs
from model.rollout.values.synapse import most
from model.site.site import Site
from model.site.sizing import by_purpose

INSTANCES = 3
# Of a database server, for what is not PostgreSQL: kubelet, the pod network, a floor of page cache; and the part of its
# memory that its kernel keeps for itself.
_SYSTEM_MIB = 512
_SYSTEM_MILLICPUS = 500
_KERNELS_PART = 32


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates."""
    instances = replicas(site, "postgresql", INSTANCES)
    memory = _memory_mib(site)
    return {
        "instances": instances,
        # With one follower a write would wait for ever for it once it is away.
        "durability": "required" if instances >= INSTANCES else "preferred",
        "roles": roles(site, "postgresql"),
        "storage": _storage(site),
        "cpus": "100m"
        if _small(site)
        else f"{by_purpose(site.settings)['postgresql'].cpus * 1000 - _SYSTEM_MILLICPUS}m",
        "memory_mib": memory,
        "request_mib": 256 if _small(site) else memory,
        "parameters": parameters(site, memory),
        "storage_connections": _storage_connections(site),
    }


def parameters(site: Site, memory_mib: int) -> dict[str, str]:
    """Return PostgreSQL's settings: memory by the usual quarters, connections for every Synapse process."""
    connections = _connections(site)
    log = _log(site)
    shared = memory_mib // 4
    return {
        "max_connections": str(connections),
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{memory_mib * 3 // 4}MB",
        "maintenance_work_mem": f"{min(memory_mib // 16, 2048)}MB",
        "work_mem": f"{max(4, memory_mib // 4 // connections)}MB",
        "wal_buffers": "16MB",
        "max_wal_size": f"{max(256, log.between_checkpoints)}MB",
        "min_wal_size": "128MB",
        "wal_keep_size": f"{max(128, log.kept)}MB",
        # A follower that is away for long is cloned again; the writer's disk must not fill up for it.
        "max_slot_wal_keep_size": f"{max(384, log.for_followers)}MB",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
        "checkpoint_completion_target": "0.9",
        "autovacuum_vacuum_scale_factor": "0.05",
        "autovacuum_analyze_scale_factor": "0.05",
        "idle_in_transaction_session_timeout": "30min",
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
        "log_min_duration_statement": "-1",
        "log_lock_waits": "on",
        "log_checkpoints": "on",
    }


def _connections(site: Site) -> int:
    """Count those of every Synapse process there may be, of the object storage's gateways, and some for people."""
    running = processes(site.settings, "matrix")
    synapse = sum(most(running, pool) for pool in running.pools) * CONNECTIONS
    return synapse + _storage_connections(site) + SPARE_CONNECTIONS


def _storage_connections(site: Site) -> int:
    """Return how many connections the object storage's gateways may have together; 0 where it needs no database."""
    if "object_storage_seaweedfs" not in site.settings.active:
        return 0
    return seaweedfs.gateways(site) * seaweedfs.CONNECTIONS


def _memory_mib(site: Site) -> int:
    if _small(site):
        return 512
    whole = by_purpose(site.settings)["postgresql"].ram_gib * 1024
    return whole - whole // _KERNELS_PART - _SYSTEM_MIB


def _small(site: Site) -> bool:
    return users(site) == 0


@dataclass(frozen=True, slots=True)
class _Log:
    """What the write-ahead log may take, in MiB: between checkpoints, always, and for followers that are away."""

    between_checkpoints: int
    kept: int
    for_followers: int


def _log(site: Site) -> _Log:
    """Deal out the volume that the log is on: a volume of its own holds nothing else."""
    storage = _storage(site)
    own = storage["wal_gib"]
    if own is None:
        mib = int(str(storage["gib"])) * 1024
        return _Log(min(mib // 20, 16384), min(mib // 50, 4096), mib // 5)
    mib = int(str(own)) * 1024
    return _Log(min(mib // 5, 16384), min(mib // 20, 4096), mib // 2)


def _storage(site: Site) -> dict[str, object]:
    """Describe an instance's volume: the smallest that the nodes have, else what the sizing asks of the class."""
    found = disks(site, "postgresql", "database")
    mine = [volume.gib for node in found for volume in node[:1]]
    return {
        "class": site.settings.kubernetes.storage_class,
        "declared": bool(found),
        "gib": min(mine) if mine else by_purpose(site.settings)["postgresql"].disk_gib,
        # A second disk of every database server takes the write-ahead log.
        "wal_gib": min(node[1].gib for node in found) if found and all(len(node) > 1 for node in found) else None,
    }
