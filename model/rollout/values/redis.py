"""What Redis's templates need to know of the site: servers, Sentinels, memory and where they run."""

from __future__ import annotations

import hashlib

from model.kubernetes.service_names import pod_name
from model.rollout.placement import replicas, roles
from model.rollout.scale import scaled
from model.site.site import Site

SERVERS = 3
# As Sentinels and the proxies call the group of servers.
MASTER_NAME = "synapse"


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates."""
    servers = replicas(site, "application", SERVERS)
    maximum = scaled(site, {0: 64, 100: 256, 1_000: 512, 5_000: 1024, 10_000: 2048, 20_000: 4096})
    return {
        "servers": servers,
        "quorum": servers // 2 + 1,
        "roles": roles(site, "application"),
        "master_name": MASTER_NAME,
        "maximum_mib": maximum,
        # Beside the data: buffers of clients and replicas, and a fork that copies what changes meanwhile.
        "limit_mib": maximum * 2 + 64,
        "server_names": names(servers, "redis"),
        "sentinel_names": names(servers, "redis-sentinel"),
        "sentinel_ids": {
            name: hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest() for name in _pods(servers)
        },
    }


def names(count: int, service: str, namespace: str = "matrix") -> tuple[str, ...]:
    """Return the names in DNS of a StatefulSet's pods, whose service is called as it is."""
    return tuple(pod_name(f"{service}-{number}", service, namespace) for number in range(count))


def _pods(count: int) -> tuple[str, ...]:
    return tuple(f"redis-sentinel-{number}" for number in range(count))
