"""Every configuration file has its reader here, or the reason why nobody reads it in a test."""

from __future__ import annotations

from collections.abc import Mapping

from tests.model.rollout.config_files import programs, servers, synapse
from tests.model.rollout.config_files.reader import Reader
from tests.model.rollout.config_files.redis import redis

READERS: Mapping[str, Reader] = {
    "HAProxy": Reader(
        files=("haproxy/haproxy-config/haproxy.cfg", "haproxy/haproxy-config/routes.map", "redis-proxy/*/haproxy.cfg"),
        complaints=servers.haproxy,
    ),
    "nginx": Reader(files=("element-web/element-web-config/nginx.conf",), complaints=servers.nginx),
    "Redis": Reader(
        files=(
            "redis/redis-config/*",
            "redis/redis-sentinel-config/*",
            "redis/redis-sentinel-scripts/id-redis-sentinel-?",
        ),
        complaints=redis,
    ),
    "Synapse": Reader(
        files=(
            "synapse/synapse-config/homeserver.yaml",
            "synapse/synapse-config/federation-ca.pem",
            "synapse/synapse-*/process.yaml",
        ),
        complaints=synapse.processes,
    ),
    "logging and boto3": Reader(
        files=("synapse/synapse-config/log.yaml", "synapse/synapse-s3/credentials"), complaints=synapse.others
    ),
    "OpenSSL": Reader(files=("synapse/synapse-config/mail-ca.pem",), complaints=programs.openssl),
    "Python": Reader(files=("synapse/*.py",), complaints=programs.python),
    "a shell": Reader(files=("*.sh",), complaints=programs.shell),
}
_LAB = "in no Debian package; its program in the lab's bundle reads this very file, from `make test-matrix` on"
_LIBPQ = "read by libpq alone, when it connects: in the lab Synapse's does, from `make test-matrix` on"
OF_THE_LAB = (_LAB, _LIBPQ)
_BROWSER = "read by pages in a browser; what it must say is claimed by tests of its component"
UNREAD: Mapping[str, str] = {
    "contour/contour/contour.yaml": _LAB,
    "seaweedfs/seaweedfs-config/filer.toml": _LAB,
    "seaweedfs/seaweedfs-config/s3.json": _LAB,
    "seaweedfs-volumes/seaweedfs-master/master.toml": _LAB,
    "synapse/synapse-secrets/pgpass": _LIBPQ,
    "element-web/element-web-config/config.json": _BROWSER,
    "ketesa/ketesa-config/config.json": _BROWSER,
    **dict.fromkeys(
        (
            "minio/minio-administration/mc.json",
            "minio/minio-administration/user",
            "minio/minio-config/config.env",
            "minio/minio-scripts/policy.json",
        ),
        "MinIO is no package of Debian's: its servers and its job read it in `make test-matrix-all`",
    ),
    "sygnal/sygnal-config/sygnal.yaml": "Sygnal is neither in Debian nor in the lab's bundle: nobody has read it yet",
}
