"""Paths of the Kubernetes API: of an object by its manifest, and of one object or a collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.errors import ObjectMissing
from model.kubernetes.manifests import name_of
from remote.api_endpoint import ApiRequest
from remote.api_failover import ApiFailover


class ApiKinds:
    """What a cluster calls its kinds: each group is asked once."""

    def __init__(self, api: ApiFailover) -> None:
        self._api = api
        self._known: dict[str, dict[str, tuple[str, bool]]] = {}

    def path(self, manifest: Mapping[str, Any]) -> str:
        """Return an object's path; raises `ObjectMissing` for a kind that the cluster does not know."""
        root, plural, namespaced = self._of(manifest)
        meta = manifest["metadata"]
        within = f"/namespaces/{meta.get('namespace', 'default')}" if namespaced else ""
        return f"{root}{within}/{plural}/{meta['name']}"

    def collection(self, manifest: Mapping[str, Any]) -> str:
        """Return the path of all objects of an object's kind, in every namespace; raises `ObjectMissing` as `path`."""
        root, plural, _ = self._of(manifest)
        return f"{root}/{plural}"

    def _of(self, manifest: Mapping[str, Any]) -> tuple[str, str, bool]:
        version, kind = manifest["apiVersion"], manifest["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        known = self._known.get(root, {}).get(kind)
        if known is None:
            self._known[root] = self._kinds(root)
            known = self._known[root].get(kind)
        if known is None:
            raise ObjectMissing(self._api.first, name_of(manifest), f"the cluster knows no kind {kind} in {version}")
        return root, *known

    def _kinds(self, root: str) -> dict[str, tuple[str, bool]]:
        resources = self._api.ask(ApiRequest("GET", root)).document.get("resources", ())
        return {
            resource["kind"]: (resource["name"], resource["namespaced"])
            for resource in resources
            if "/" not in resource["name"]
        }


def is_object(path: str) -> bool:
    """Tell the path of one object from that of a collection."""
    words = path.strip("/").split("/")
    rest = words[3:] if words[0] == "apis" else words[2:]
    if len(rest) > 2 and rest[0] == "namespaces":
        rest = rest[2:]
    return len(rest) == 2
