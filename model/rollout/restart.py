"""What makes pods restart: a keyed hash over every configuration and secret that they mount."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
from collections.abc import Mapping

from model.kubernetes.manifests import Manifest
from model.rollout.pod_sources import pod_sources
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
    names = sorted({(source.kind, namespace, source.name) for source in pod_sources(template["spec"])})
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


def _content(manifest: Manifest) -> dict[str, object]:
    return {part: manifest.get(part) or {} for part in ("data", "binaryData")}
