"""Whatever the ports of this host and of its cluster depend on besides rules and sockets: asked for by name alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remote.collector.program.ask import word
from remote.collector.program.cluster import MANIFEST, administrator, trimmed

Wishes = dict[str, Any]
_COUNTERS = "/proc/sys/net/netfilter/nf_conntrack_"


def conntrack(_wishes: Wishes) -> Any:
    """Return how many connections the kernel tracks at most, and how many it tracks now; zeros where it tracks none."""
    return [int(word(f"{_COUNTERS}{name}") or 0) for name in ("max", "count")]


def services(_wishes: Wishes) -> Any:
    """Return Services, who is behind them, the pods that look out for us and the nodes' names; null where no API server runs."""
    if not Path(MANIFEST).exists():
        return None
    api = administrator()
    return {
        "services": [trimmed(each, ("spec", "status")) for each in api.items("/api/v1/services")],
        "slices": [trimmed(each, ("endpoints",)) for each in api.items("/apis/discovery.k8s.io/v1/endpointslices")],
        "pods": [_pod(each) for each in api.items("/api/v1/namespaces/matrix-fleet/pods")],
        "nodes": [each["metadata"]["name"] for each in api.items("/api/v1/nodes")],
    }


def _pod(said: Any) -> dict[str, Any]:
    status = {key: said["status"][key] for key in ("podIPs", "containerStatuses") if key in said["status"]}
    leaving = {key: value for key, value in said["metadata"].items() if key == "deletionTimestamp"}
    return {"metadata": leaving, "spec": {"nodeName": said["spec"].get("nodeName", "")}, "status": status}
