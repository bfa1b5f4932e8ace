"""What makes pods restart: a keyed hash over every configuration and secret that they mount."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any

from model.kubernetes.manifests import Manifest
from model.rollout.rendered import pod_template

ANNOTATION = "matrix-fleet.io/config"
# (kind, namespace, name)
Mounted = tuple[str, str, str]


def with_hash(manifest: Manifest, contents: Mapping[Mounted, Manifest], key: bytes) -> Manifest:
    """
    Return a workload with the hash of what its pods mount, any other object as it is.

    `contents` are filled ConfigMaps and Secrets; what others make, such as a certificate's Secret, is not hashed. The
    hash is keyed: a plain one of a short secret would give it away.
    """
    if manifest["kind"] not in ("Deployment", "StatefulSet", "DaemonSet"):
        return manifest
    template = pod_template(manifest) or {}
    namespace = manifest["metadata"].get("namespace") or ""
    names = sorted({(kind, namespace, name) for kind, name in mounts(template["spec"])})
    found = [(name, _content(contents[name])) for name in names if name in contents]
    if not found:
        return manifest
    digest = keyed_hash(found, key)
    hashed = copy.deepcopy(manifest)
    meta = hashed["spec"]["template"].setdefault("metadata", {})
    meta["annotations"] = {**(meta.get("annotations") or {}), ANNOTATION: digest}
    return hashed


def keyed_hash(value: object, key: bytes) -> str:
    """Return a hash of plain data that nobody without the key can compare with a guess."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]


def mounts(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield kind and name of every ConfigMap and Secret that a pod reads."""
    for volume in pod.get("volumes") or ():
        yield from _volume(volume)
    for container in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ())):
        for source in container.get("envFrom") or ():
            yield from _references(source, "configMapRef", "secretRef", "name")
        for variable in container.get("env") or ():
            yield from _references(variable.get("valueFrom") or {}, "configMapKeyRef", "secretKeyRef", "name")


def _volume(volume: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "configMap" in volume:
        yield "ConfigMap", volume["configMap"]["name"]
    if "secret" in volume:
        yield "Secret", volume["secret"]["secretName"]
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield from _references(source, "configMap", "secret", "name")


def _references(source: Mapping[str, Any], config: str, secret: str, name: str) -> Iterator[tuple[str, str]]:
    if config in source:
        yield "ConfigMap", source[config][name]
    if secret in source:
        yield "Secret", source[secret][name]


def _content(manifest: Manifest) -> dict[str, object]:
    return {part: manifest.get(part) or {} for part in ("data", "binaryData")}
