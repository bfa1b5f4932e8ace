"""What SeaweedFS's templates need to know of the site: masters, volume servers and their disks, gateways, copies."""

from __future__ import annotations

from model.kubernetes.service_names import pod_name
from model.rollout.jobs import job_name
from model.rollout.placement import disks, hosts, roles
from model.rollout.scale import scaled, users
from model.site.site import Site
from model.site.sizing import by_purpose

_MASTERS = 3
GATEWAYS = 3
# Of each gateway to PostgreSQL at most.
CONNECTIONS = 30
# Of each disk in so many volumes: enough to spread writes, few enough that each is large.
_VOLUMES_PER_DISK = 20
_LARGEST_VOLUME_MIB = 30_000
_SMALLEST_VOLUME_MIB = 64


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates."""
    nodes = hosts(site, "objects")
    masters = _MASTERS if len(nodes) >= _MASTERS else 1
    drives = _drives(site)
    memory = scaled(site, {0: 256, 100: 1024, 5_000: 4096, 20_000: 8192})
    return {
        "roles": roles(site, "objects"),
        "masters": masters,
        "master_addresses": ",".join(f"{name}:9333" for name in _names(masters, "seaweedfs-master")),
        "volume_servers": len(nodes),
        "gateways": gateways(site),
        # A volume server's node is its rack: the second copy lies on another one.
        "replication": "010" if len(nodes) > 1 else "000",
        "drives": drives,
        "storage_class": site.settings.kubernetes.storage_class,
        "declared": bool(disks(site, "objects", "objects")),
        "volume_limit_mib": _volume_limit(drives[0]),
        # Folders have no size of their own: the number of volumes keeps to what they stand for.
        "volumes_per_drive": drives[0] * 1024 // _volume_limit(drives[0]) if users(site) == 0 else 0,
        "growth": scaled(site, {0: 2, 100: 4, 5_000: 6}),
        "bind": "0.0.0.0" if site.settings.kubernetes.pod_cidrs[0].version == 4 else "::",  # noqa: S104
        "memory_mib": memory,
        "job_name": job_name,
        "bucket": site.settings.object_storage.bucket,
    }


def gateways(site: Site) -> int:
    """Return how many gateways there are: each on a node of its own."""
    return min(GATEWAYS, len(hosts(site, "objects")))


def _names(count: int, service: str) -> tuple[str, ...]:
    return tuple(pod_name(f"{service}-{number}", service, "matrix") for number in range(count))


def _drives(site: Site) -> tuple[int, ...]:
    """Return the size in GiB of each drive that every server can have: as many as the node with the fewest."""
    found = disks(site, "objects", "objects")
    if not found:
        size = by_purpose(site.settings)["objects"]
        return (size.disk_gib,) * size.drives
    smallest = min(volume.gib for node in found for volume in node)
    return (smallest,) * max(1, min(len(node) for node in found))


def _volume_limit(gib: int) -> int:
    return max(_SMALLEST_VOLUME_MIB, min(gib * 1024 // _VOLUMES_PER_DISK, _LARGEST_VOLUME_MIB))
