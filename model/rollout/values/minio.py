"""What MinIO's templates need to know of the site: four servers of two drives, of which any one may be lost."""

from __future__ import annotations

from model.errors import SiteError
from model.rollout.jobs import job_name
from model.rollout.placement import disks, hosts, roles
from model.rollout.scale import scaled
from model.site.site import Site

SERVERS = 4
DRIVES = 2
# Of eight drives four hold parity: one server lost still writes, two lost still read.
PARITY = "EC:4"


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates. Raises `SiteError` where the site has not the servers and drives."""
    found = disks(site, "objects", "objects")
    fitting = [node for node in found if len(node) >= DRIVES]
    if len(hosts(site, "objects")) < SERVERS or len(fitting) < SERVERS:
        raise SiteError(
            f"hosts.yaml: MinIO needs {SERVERS} storage servers with {DRIVES} disks for objects each, "
            f"and {len(fitting)} have them",
            next_step="declare the disks (`purpose: objects`), or `object_storage: {provider: seaweedfs}`",
        )
    memory = scaled(site, {0: 512, 100: 2048, 5_000: 6144, 20_000: 16384})
    return {
        "servers": SERVERS,
        "drives": (min(volume.gib for node in fitting for volume in node),) * DRIVES,
        "parity": PARITY,
        "roles": roles(site, "objects"),
        "storage_class": site.settings.kubernetes.storage_class,
        "memory_mib": memory,
        "bucket": site.settings.object_storage.bucket,
        "region": site.settings.object_storage.region,
        "job_name": job_name,
    }
