"""How is the member of etcd on this host, and whom does it know?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remote.collector.program.api import Api
from remote.collector.program.ask import text

Wishes = dict[str, Any]
_PKI = "/etc/kubernetes/pki/etcd"


def etcd(_wishes: Wishes) -> Any:
    """Return health, members, status and alarms as this member tells; null on a host without one."""
    if not Path("/etc/kubernetes/manifests/etcd.yaml").exists():
        return None
    client = text(f"{_PKI}/healthcheck-client.crt") or "", text(f"{_PKI}/healthcheck-client.key") or ""
    api = Api(2379, f"{_PKI}/ca.crt", client)
    status, health = api.ask("/health")
    return {
        "health": "" if status == 200 else health[:200] or f"HTTP {status}",
        # Not linearizable: it is to be heard of without a quorum too.
        "members": api.get("/v3/cluster/member/list", {"linearizable": False}).get("members", []),
        "status": api.get("/v3/maintenance/status", {}),
        "alarms": api.get("/v3/maintenance/alarm", {"action": "GET"}).get("alarms", []) if status == 200 else [],
    }
