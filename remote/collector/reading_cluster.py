"""The collector's words on the cluster, etcd and the files that make a node, as types."""

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

Document = Mapping[str, Any]


def cluster(document: Document) -> ApiReport:
    """Read what an API server says."""
    section = document["cluster"]
    if section is None:
        return ApiReport(runs=False)
    complaints = tuple(section["complaints"])
    if "nodes" not in section:
        return ApiReport(runs=True, complaints=complaints)
    workloads = section["workloads"]
    commands = {
        (pod["node"], pod["metadata"]["labels"]["component"]): tuple(pod["command"])
        for pod in section["pods"]
        if "command" in pod
    }
    return ApiReport(
        True,
        complaints,
        CollectedCluster(
            version=section["version"],
            nodes=tuple(map(read_node, section["nodes"])),
            pods=tuple(map(_pod, section["pods"])),
            workloads=tuple(map(read_workload, workloads)),
            labels=tuple(workload["spec"]["template"]["metadata"]["labels"] for workload in workloads),
            budgets=tuple(map(_budget, section["budgets"])),
            policies=tuple(
                f"{policy['metadata']['namespace']}/{policy['metadata']['name']}" for policy in section["policies"]
            ),
            storage_classes=tuple(map(read_storage_class, section["classes"])),
            kubelets=section["kubelets"],
            programs=commands,
        ),
    )


def _pod(document: Document) -> Pod:
    meta = document["metadata"]
    ready: Document = next((condition for condition in document["conditions"] if condition["type"] == "Ready"), {})
    since = ready.get("lastTransitionTime")
    held: Document = next(
        (
            condition
            for condition in document["conditions"]
            if condition["type"] == "PodScheduled" and condition["status"] != "True"
        ),
        {},
    )
    words = (*document["waiting"], held.get("message", ""), ready.get("message", ""))
    return Pod(
        namespace=meta["namespace"],
        name=meta["name"],
        node=document["node"],
        phase=document["phase"],
        ready=ready.get("status") == "True",
        labels=meta["labels"],
        owners=tuple(meta["owners"]),
        leaving=meta["leaving"] is True,
        since=datetime.fromisoformat(since) if since else None,
        why=next((word for word in words if word), ""),
    )


def _budget(document: Document) -> Budget:
    status = document.get("status", {})
    return Budget(
        namespace=document["metadata"]["namespace"],
        name=document["metadata"]["name"],
        expected=status.get("expectedPods", 0),
        healthy=status.get("currentHealthy", 0),
        desired=status.get("desiredHealthy", 0),
        allowed=status.get("disruptionsAllowed", 0),
        matches=(document["spec"].get("selector") or {}).get("matchLabels") or {},
    )


def etcd(document: Document) -> EtcdReport:
    """Read what a member of etcd says; its numbers come as text."""
    section = document["etcd"]
    if section is None:
        return EtcdReport(None)
    status = section["status"]
    return EtcdReport(
        CollectedEtcd(
            id=int(status["header"]["member_id"]),
            health=section["health"],
            peers=tuple(
                EtcdPeer(
                    int(member["ID"]),
                    member.get("name", ""),
                    urlsplit((member.get("peerURLs") or [""])[0]).hostname or "",
                    member.get("isLearner") is True,
                )
                for member in section["members"]
            ),
            leader=int(status.get("leader", 0)),
            version=status["version"],
            size=int(status.get("dbSize", 0)),
            quota=int(status.get("dbSizeQuota", 0)),
            alarms=tuple(str(alarm.get("alarm", "unknown")) for alarm in section["alarms"]),
        )
    )


def node(document: Document) -> NodeFiles:
    """Read the files that make a node."""
    section = document["node"]
    text = section["kubelet"]
    files = {path: (int(mode), int(owner), int(group)) for path, (mode, owner, group) in section["files"].items()}
    return NodeFiles(files, None if text is None else dict(yaml.safe_load(text)))
