"""The port tables of the requirements, as numbers and role words: what the matrix is held against."""

from __future__ import annotations

from typing import NamedTuple


class Fact(NamedTuple):
    """One line of a table: ports inclusive, `ends` as the matrix names them (components for 3.3)."""

    section: str
    low: int
    high: int
    protocol: str
    source: str
    destination: str


def _outside(target: str, *ports: tuple[int, int, str]) -> tuple[Fact, ...]:
    return tuple(Fact("3.1", low, high, protocol, "internet", target) for low, high, protocol in ports)


def _between(source: str, destination: str, *ports: tuple[int, int, str]) -> tuple[Fact, ...]:
    return tuple(Fact("3.2", low, high, protocol, source, destination) for low, high, protocol in ports)


def _pods(destination: str, port: int, *sources: str) -> tuple[Fact, ...]:
    protocol, high = ("udp", 60000) if port == 50000 else ("tcp", port)
    return tuple(Fact("3.3", port, high, protocol, source, destination) for source in sources)


def _inbound(role: str, *ports: tuple[int, int, str]) -> tuple[Fact, ...]:
    return tuple(Fact("3.4", low, high, protocol, "", role) for low, high, protocol in ports)


SSH, KUBELET = (22, 22, "tcp"), (10250, 10250, "tcp")

EXTERNAL = (
    *_outside("ingress", (443, 443, "tcp"), (80, 80, "tcp")),
    *_outside("turn", (3478, 3478, "tcp"), (3478, 3478, "udp"), (5349, 5349, "tcp"), (49152, 65535, "udp")),
    *_outside("livekit", (7881, 7881, "tcp"), (7882, 7882, "udp")),
)

CLUSTER = (
    *_between("nodes", "control_plane", (6443, 6443, "tcp")),
    *_between("control_plane", "control_plane", (2379, 2380, "tcp"), (10259, 10259, "tcp"), (10257, 10257, "tcp")),
    *_between("nodes", "nodes", KUBELET, (30000, 32767, "tcp"), (30000, 32767, "udp"), (179, 179, "tcp")),
    *_between("nodes", "nodes", *((port, port, "udp") for port in (4789, 8472, 51820, 51821))),
)

PODS = (
    *_pods("postgresql", 5432, "synapse", "sync"),
    *_pods("redis", 6379, "synapse-worker"),
    *_pods("redis", 26379, "synapse-worker"),
    *_pods("minio", 9000, "synapse", "sync"),
    *_pods("minio", 9001, "admin"),
    *_pods("synapse", 8008, "haproxy"),
    *_pods("synapse-worker", 8083, "haproxy"),
    *_pods("synapse-worker", 9093, "synapse-worker"),
    *_pods("content-scanner", 8080, "synapse"),
    *_pods("clamav", 3310, "content-scanner"),
    *_pods("key-vault", 8000, "synapse", "synapse-admin-li"),
    *_pods("livekit", 7880, "clients"),
    *_pods("livekit", 7881, "clients"),
    *_pods("livekit", 50000, "clients"),
    *_pods("grafana", 3000, "monitoring"),
    *_pods("prometheus", 9090, "monitoring"),
    *_pods("synapse", 9090, "prometheus"),
    *_pods("redis", 9121, "prometheus"),
    *_pods("postgresql", 9187, "prometheus"),
    *_pods("loki", 3100, "promtail"),
)

ROLES = (
    *_inbound("control_plane", SSH, KUBELET, (6443, 6443, "tcp"), (2379, 2380, "tcp")),
    *_inbound("control_plane", (10259, 10259, "tcp"), (10257, 10257, "tcp")),
    *_inbound("worker", SSH, KUBELET, (30000, 32767, "tcp"), (30000, 32767, "udp")),
    *_inbound("worker", (4789, 4789, "udp"), (8472, 8472, "udp")),
    *_inbound("database", SSH, KUBELET, (5432, 5432, "tcp")),
    *_inbound("storage", SSH, KUBELET, (9000, 9000, "tcp"), (9001, 9001, "tcp")),
    *_inbound("call", SSH, KUBELET, (3478, 3478, "tcp"), (3478, 3478, "udp"), (5349, 5349, "tcp")),
    *_inbound("call", (49152, 65535, "udp"), (50000, 60000, "udp")),
    *_inbound("call", *((port, port, protocol) for port in (7880, 7881, 7882) for protocol in ("tcp", "udp"))),
    *_inbound("li", SSH, KUBELET, (443, 443, "tcp"), (80, 80, "tcp"), (8000, 8000, "tcp")),
    *_inbound("monitoring", SSH, KUBELET, (9090, 9090, "tcp"), (3000, 3000, "tcp"), (3100, 3100, "tcp")),
)

OUTBOUND = (
    Fact("3.5", 443, 443, "tcp", "nodes", "internet"),
    Fact("3.5", 443, 443, "tcp", "li", "internet"),
    Fact("3.5", 80, 80, "tcp", "nodes", "internet"),
    Fact("3.5", 80, 80, "tcp", "li", "internet"),
)

FACTS = (*EXTERNAL, *CLUSTER, *PODS, *ROLES, *OUTBOUND)

# Lines the matrix leaves out on purpose: the role table says both protocols for three ports, the other tables say which
# is meant.
LEFT_OUT = {
    Fact("3.4", 7880, 7880, "udp", "", "call"): "LiveKit's API is HTTP",
    Fact("3.4", 7881, 7881, "udp", "", "call"): "ICE over TCP",
    Fact("3.4", 7882, 7882, "tcp", "", "call"): "media through one UDP port",
    Fact("3.3", 9090, 9090, "tcp", "prometheus", "synapse"): "9090 is Prometheus's own; Synapse's metrics are at 9001",
}

# Words of the tables that the matrix says more exactly.
MEANT = {
    ("clients", 7880): "ingress",
    ("synapse-worker", 6379): "redis-proxy",
    ("synapse-worker", 26379): "redis-proxy",
}
MEANT_AT = {
    ("redis", 26379): "redis-sentinel",
    ("minio", 9000): "object-storage",
    ("minio", 9001): "object-storage",
}
