"""What does the API server of this control plane say of the cluster? Only what checks ask for, and nothing that could be a secret."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from remote.collector.program.api import Api
from remote.collector.program.ask import Failed, text

Wishes = dict[str, Any]
_FOLDER = "/etc/kubernetes"
MANIFEST = f"{_FOLDER}/manifests/kube-apiserver.yaml"
_DATA = re.compile(r"^ *client-(certificate|key)-data: *(\S+)", re.MULTILINE)
_APPS = "/apis/apps/v1"
_COMPONENTS = {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"}
_AT_ONCE = 8


def cluster(_wishes: Wishes) -> Any:
    """Return objects of the API, each with few fields; null on a host that runs no API server."""
    if not Path(MANIFEST).exists():
        return None
    api = administrator()
    complaints = _complaints(api)
    try:
        return {"complaints": complaints} | _objects(api)
    except Failed:
        # One that says itself what it lacks has said enough.
        if complaints:
            return {"complaints": complaints}
        raise


def _objects(api: Api) -> dict[str, Any]:
    nodes = api.items("/api/v1/nodes")
    return {
        "version": api.get("/version")["gitVersion"],
        "nodes": [_node(each) for each in nodes],
        "pods": [_pod(each) for each in api.items("/api/v1/pods")],
        "workloads": [
            _workload(each, kind)
            for kind in ("DaemonSet", "Deployment", "StatefulSet")
            for each in api.items(f"{_APPS}/{kind.lower()}s")
        ],
        "budgets": [trimmed(each, ("spec", "status")) for each in api.items("/apis/policy/v1/poddisruptionbudgets")],
        "policies": [trimmed(each) for each in api.items("/apis/networking.k8s.io/v1/networkpolicies")],
        "classes": [trimmed(each, ("provisioner",)) for each in api.items("/apis/storage.k8s.io/v1/storageclasses")],
        "kubelets": _kubelets([each["metadata"]["name"] for each in nodes]),
    }


def administrator() -> Api:
    """The API server of this very host, asked as kubeadm's administrator."""
    parts = dict(_DATA.findall(text(f"{_FOLDER}/admin.conf") or ""))
    if set(parts) != {"certificate", "key"}:
        raise Failed(f"{_FOLDER}/admin.conf holds no certificate and key")
    certificate, key = (base64.b64decode(parts[name]).decode() for name in ("certificate", "key"))
    return Api(6443, f"{_FOLDER}/pki/ca.crt", (certificate, key))


def _complaints(api: Api) -> list[str]:
    status, said = api.ask("/readyz?verbose")
    if status == 200:
        return []
    lines = [line for line in said.splitlines() if line.startswith("[-]")]
    return lines or [f"not ready (HTTP {status})"]


def _kubelets(names: list[str]) -> dict[str, Any]:
    """Return the settings with which each kubelet runs, or why it does not tell."""
    from concurrent.futures import ThreadPoolExecutor

    def ask(name: str) -> Any:
        try:
            # A connection of its own: one that is silent must not hold up the others.
            return administrator().get(f"/api/v1/nodes/{name}/proxy/configz")["kubeletconfig"]
        except Exception as error:  # noqa: BLE001 - one silent kubelet must hide no other
            return str(error) or type(error).__name__

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(names, pool.map(ask, names), strict=True))


def trimmed(said: Any, parts: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return an object with these parts alone, and of its metadata what is neither long nor a secret."""
    meta = said["metadata"]
    kept = {key: meta[key] for key in ("name", "namespace", "labels", "annotations", "generation") if key in meta}
    # What `kubectl apply` keeps there is a whole object, of whatever kind.
    kept["annotations"] = {key: value for key, value in (kept.get("annotations") or {}).items() if len(value) < 200}
    return {"metadata": kept} | {part: said[part] for part in parts if part in said}


def _node(said: Any) -> dict[str, Any]:
    status = {key: said["status"].get(key) for key in ("conditions", "addresses", "nodeInfo")}
    return trimmed(said, ("spec",)) | {"status": {key: value for key, value in status.items() if value}}


def _workload(said: Any, kind: str) -> dict[str, Any]:
    spec = said.get("spec", {})
    labels = spec.get("template", {}).get("metadata", {}).get("labels") or {}
    kept = {"template": {"metadata": {"labels": labels}}}
    kept |= {key: spec[key] for key in ("replicas", "selector") if key in spec}
    return trimmed(said, ("status",)) | {"kind": kind, "spec": kept}


def _pod(said: Any) -> dict[str, Any]:
    meta, status = said["metadata"], said.get("status", {})
    labels = meta.get("labels") or {}
    kept: dict[str, Any] = {
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": labels,
            "owners": [each["kind"] for each in meta.get("ownerReferences") or ()],
            "leaving": "deletionTimestamp" in meta,
        },
        "node": said.get("spec", {}).get("nodeName", ""),
        "phase": status.get("phase", ""),
        "conditions": status.get("conditions") or [],
        "waiting": [
            each["state"]["waiting"].get("reason", "")
            for each in status.get("containerStatuses") or ()
            if "waiting" in each.get("state", {})
        ],
    }
    if meta["namespace"] == "kube-system" and labels.get("component") in _COMPONENTS:
        kept["command"] = said["spec"]["containers"][0].get("command") or []
    return kept
