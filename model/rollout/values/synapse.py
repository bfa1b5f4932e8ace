"""What Synapse's templates need besides the site: its processes, their shares and their sizes."""

from __future__ import annotations

import math
from typing import Any

import yaml

from model.kubernetes.service_names import CLUSTER_DOMAIN, service_name
from model.rollout.order import WorkloadOrder
from model.rollout.rendered import RenderedComponent
from model.rollout.synapse.check_files import final_configs
from model.rollout.synapse.duties import ProcessPool, duties
from model.rollout.synapse.homeserver import CONNECTIONS, process_file, shares
from model.rollout.synapse.outward import (
    allowed_addresses,
    authority,
    email,
    logs_in,
    mail_authority,
    partners,
    sends_mail,
)
from model.rollout.synapse.processes import MAIN, REPLICATION_PORT, Processes, processes, service
from model.site.site import Site

NAMESPACE = "matrix"
# CPU and memory asked for, and memory at most, from this size on. One process fills one CPU and no more.
RESOURCES = ((5000, ("500m", "1Gi", "2560Mi")), (1000, ("250m", "768Mi", "2Gi")), (100, ("100m", "384Mi", "1536Mi")))
SMALLEST = ("50m", "192Mi", "1Gi")


def values(site: Site) -> dict[str, object]:
    """Return the variables of Synapse's templates."""
    settings, running = site.settings, processes(site.settings, NAMESPACE)
    cpu, memory, limit = _resources(running)
    return {
        "running": running,
        "shares": shares(running),
        "config_of": lambda pool: process_file(running, running.of(pool)[0], settings),
        "has_replication": lambda pool: running.of(pool)[0] in running.writers,
        "as_yaml": as_yaml,
        "scaled": lambda pool: scaled(running, pool),
        "most": lambda pool: most(running, pool),
        "cache_gib": lambda pool: pool.cache_gib[running.column],
        "email": email(settings),
        "logs_in": lambda pool: logs_in(settings, pool),
        "mail_authority": mail_authority(site).strip(),
        "sends_mail": sends_mail,
        "partners": partners(settings),
        "allowed_addresses": allowed_addresses(settings),
        "federation_authority": authority(site).strip(),
        "roles": sorted(name for name, traits in site.roles.items() if traits.purpose == "application"),
        "public_name": f"matrix.{settings.domain}",
        "main_address": running.main.address,
        "replication_port": REPLICATION_PORT,
        "cluster_domain": CLUSTER_DOMAIN,
        "database_host": service_name("postgresql-rw", NAMESPACE),
        "redis_host": service_name("redis-proxy", NAMESPACE),
        "s3_endpoint": settings.object_storage.endpoint or f"http://{service_name('s3', NAMESPACE)}:9000",
        "connections_min": 1 if running.size in ("small", 100) else 3,
        "connections_max": CONNECTIONS,
        "cache_factor": 0.5 if running.size == "small" else 1.0,
        "event_cache": "5K" if running.size == "small" else "20K",
        "upload_limit": "100M",
        "cpu": cpu,
        "memory": memory,
        "memory_limit": limit,
    }


def order() -> WorkloadOrder:
    """
    Return what waits for what: main changes the schema when it starts, and until then its former process answers, so
    that no worker waits by itself.
    """
    gone = {name for duty in duties().duties if duty.gone_first for name in duty.pools}
    pools = {pool.name: pool for pool in duties().pools}
    return WorkloadOrder(first=frozenset({service(pools[MAIN])}), gone=frozenset(service(pools[name]) for name in gone))


def final_files(site: Site, rendered: RenderedComponent) -> dict[str, str]:
    """Return each process's configuration as Synapse merges it when it starts, secrets as names."""
    found = final_configs(rendered, processes(site.settings, NAMESPACE))
    return {f"merged/{process}.yaml": as_yaml(config) for process, config in found.items()}


def as_yaml(value: dict[str, Any]) -> str:
    """Write settings as YAML in the order they are given."""
    text: str = yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, width=100)
    return text


def scaled(running: Processes, pool: ProcessPool) -> bool:
    """Return whether the cluster changes the pool's size by load."""
    return pool.scales and running.autoscaled


def most(running: Processes, pool: ProcessPool) -> int:
    """Return to how many processes the pool may grow."""
    count = running.instances(pool)
    return math.ceil(count * 1.5) if scaled(running, pool) else count


def _resources(running: Processes) -> tuple[str, str, str]:
    users = running.size if isinstance(running.size, int) else 0
    return next((asked for least, asked in RESOURCES if users >= least), SMALLEST)
