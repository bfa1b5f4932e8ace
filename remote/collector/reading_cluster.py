"""What does the collector say of the cluster, of etcd and of the files that make a node?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import yaml

from model.kubernetes.cluster import read_node, read_storage_class, read_workload
from model.kubernetes.cluster_facts import (
    ApiReport,
    Budget,
    CollectedCluster,
    CollectedEtcd,
    EtcdPeer,
    EtcdReport,
    NodeFiles,
    Pod,
)

Said = Mapping[str, Any]


def cluster(said: Said) -> ApiReport:
    """Read what an API server says."""
    section = said["cluster"]
    if section is None:
        return ApiReport(runs=False)
    complaints = tuple(section["complaints"])
    if "nodes" not in section:
        return ApiReport(runs=True, complaints=complaints)
    workloads = section["workloads"]
    commands = {
        (each["node"], each["metadata"]["labels"]["component"]): tuple(each["command"])
        for each in section["pods"]
        if "command" in each
    }
    return ApiReport(
        True,
        complaints,
        CollectedCluster(
            version=section["version"],
            nodes=tuple(map(read_node, section["nodes"])),
            pods=tuple(map(_pod, section["pods"])),
            workloads=tuple(map(read_workload, workloads)),
            labels=tuple(each["spec"]["template"]["metadata"]["labels"] for each in workloads),
            budgets=tuple(map(_budget, section["budgets"])),
            policies=tuple(
                f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in section["policies"]
            ),
            storage_classes=tuple(map(read_storage_class, section["classes"])),
            kubelets=section["kubelets"],
            programs=commands,
        ),
    )


def _pod(said: Said) -> Pod:
    meta = said["metadata"]
    ready: Said = next((one for one in said["conditions"] if one["type"] == "Ready"), {})
    since = ready.get("lastTransitionTime")
    held: Said = next(
        (one for one in said["conditions"] if one["type"] == "PodScheduled" and one["status"] != "True"), {}
    )
    words = (*said["waiting"], held.get("message", ""), ready.get("message", ""))
    return Pod(
        namespace=meta["namespace"],
        name=meta["name"],
        node=said["node"],
        phase=said["phase"],
        ready=ready.get("status") == "True",
        labels=meta["labels"],
        owners=tuple(meta["owners"]),
        leaving=meta["leaving"] is True,
        since=datetime.fromisoformat(since) if since else None,
        why=next((word for word in words if word), ""),
    )


def _budget(said: Said) -> Budget:
    status = said.get("status", {})
    return Budget(
        namespace=said["metadata"]["namespace"],
        name=said["metadata"]["name"],
        expected=status.get("expectedPods", 0),
        healthy=status.get("currentHealthy", 0),
        desired=status.get("desiredHealthy", 0),
        allowed=status.get("disruptionsAllowed", 0),
        matches=(said["spec"].get("selector") or {}).get("matchLabels") or {},
    )


def etcd(said: Said) -> EtcdReport:
    """Read what a member of etcd says; its numbers come as text."""
    section = said["etcd"]
    if section is None:
        return EtcdReport(None)
    status = section["status"]
    return EtcdReport(
        CollectedEtcd(
            id=int(status["header"]["member_id"]),
            health=section["health"],
            peers=tuple(
                EtcdPeer(
                    int(each["ID"]),
                    each.get("name", ""),
                    urlsplit((each.get("peerURLs") or [""])[0]).hostname or "",
                    each.get("isLearner") is True,
                )
                for each in section["members"]
            ),
            leader=int(status.get("leader", 0)),
            version=status["version"],
            size=int(status.get("dbSize", 0)),
            quota=int(status.get("dbSizeQuota", 0)),
            alarms=tuple(str(each.get("alarm", "unknown")) for each in section["alarms"]),
        )
    )


def node(said: Said) -> NodeFiles:
    """Read the files that make a node."""
    section = said["node"]
    text = section["kubelet"]
    files = {path: (int(mode), int(owner), int(group)) for path, (mode, owner, group) in section["files"].items()}
    return NodeFiles(files, None if text is None else dict(yaml.safe_load(text)))
