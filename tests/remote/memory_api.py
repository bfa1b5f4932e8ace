"""An API server in memory, good enough for what the rollout asks: server-side apply, conflicts, dry runs, selectors."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from remote.api_endpoint import ApiAnswer, ApiRequest
from remote.kube import Cluster

Manifest = dict[str, Any]
Path = tuple[str, ...]

# group/version -> kind -> (plural, namespaced)
KINDS: dict[str, dict[str, tuple[str, bool]]] = {
    "v1": {
        "Namespace": ("namespaces", False),
        "ConfigMap": ("configmaps", True),
        "Secret": ("secrets", True),
        "Service": ("services", True),
        "Pod": ("pods", True),
        "Event": ("events", True),
        "PersistentVolumeClaim": ("persistentvolumeclaims", True),
        "ResourceQuota": ("resourcequotas", True),
        "LimitRange": ("limitranges", True),
    },
    "apps/v1": {
        "Deployment": ("deployments", True),
        "StatefulSet": ("statefulsets", True),
        "ReplicaSet": ("replicasets", True),
    },
    "batch/v1": {"Job": ("jobs", True)},
    "coordination.k8s.io/v1": {"Lease": ("leases", True)},
    "apiextensions.k8s.io/v1": {"CustomResourceDefinition": ("customresourcedefinitions", False)},
}


@dataclass
class Stored:
    """An object, and which leaf of it belongs to which managers."""

    document: Manifest
    owners: dict[Path, set[str]] = field(default_factory=dict)
    applied: set[str] = field(default_factory=set)


class Refusal(Exception):
    """An answer of 400 and above."""

    def __init__(self, status: int, reason: str, message: str, causes: list[dict[str, str]] | None = None) -> None:
        self.status = status
        self.document = {
            "kind": "Status",
            "reason": reason,
            "message": message,
            "details": {"causes": causes or []},
        }


class MemoryApi:
    """
    The server. `written` are the requests that changed something; `before` may refuse a request or change the world;
    `become` makes an applied object what its controller would make of it.
    """

    name = "cp-1"

    def __init__(self) -> None:
        self.kinds = copy.deepcopy(KINDS)
        self.objects: dict[tuple[str, str, str, str], Stored] = {}
        self.asked: list[str] = []
        self.written: list[str] = []
        self.before: Callable[[ApiRequest, Manifest], None] = lambda _request, _body: None
        self.become: Callable[[Manifest], None] = ready
        self._lock = threading.RLock()
        self._version = 100
        self.logs: dict[str, str] = {}
        # When everything was changed last, by its clock.
        self.time = "2026-01-01T00:00:00Z"

    def cluster(self) -> Cluster:
        """Return the way to it that the product has."""
        return Cluster([self], timeout=0.0)  # type: ignore[list-item]

    def put(self, manifest: Manifest, manager: str = "kubectl") -> None:
        """Have somebody make or change an object by hand."""
        with self._lock:
            group, plural, _ = self._kind(manifest)
            meta = manifest["metadata"]
            key = (group, plural, meta.get("namespace", ""), meta["name"])
            if plural != "namespaces" and meta.get("namespace"):
                self.objects.setdefault(
                    ("v1", "namespaces", "", meta["namespace"]), Stored(_namespace(meta["namespace"]))
                )
            stored = self.objects.setdefault(key, Stored({}))
            for path, value in leaves(manifest):
                if _at(stored.document, path) != value:
                    _set(stored.document, path, value)
                    stored.owners[path] = {manager}
            self._stamp(stored)

    def take(self, path: str) -> None:
        """Have somebody delete an object by hand."""
        with self._lock:
            del self.objects[self._parse(path)[0]]

    def get(self, path: str) -> Manifest:
        """Return an object as it is."""
        return self._shown(self.objects[self._parse(path)[0]])

    def ask(self, request: ApiRequest) -> ApiAnswer:
        """Answer as an endpoint."""
        with self._lock:
            self.asked.append(f"{request.method} {request.path}")
            try:
                return ApiAnswer(self.name, 200, json.dumps(self._answer(request)).encode())
            except Refusal as refusal:
                return ApiAnswer(self.name, refusal.status, json.dumps(refusal.document).encode())
            except LogText as log:
                return ApiAnswer(self.name, 200, str(log).encode())

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self, request: ApiRequest) -> Manifest:
        if request.path == "/readyz":
            return {}
        query = dict(request.query)
        words = request.path.strip("/").split("/")
        version = "/".join(words[1:3]) if words[0] == "apis" else words[1]
        if request.path in (f"/apis/{version}", f"/api/{version}"):
            return self._discovery(version)
        if request.path.endswith("/log"):
            raise LogText(self.logs.get(words[-2], ""))
        body = copy.deepcopy(request.body) if isinstance(request.body, dict) else {}
        self.before(request, body)
        key, is_collection = self._parse(request.path)
        if request.method == "GET":
            return self._list(key, query) if is_collection else self._shown(self._found(key))
        if "dryRun" not in query:
            self.written.append(f"{request.method} {request.path}")
        if request.method == "DELETE":
            return self._delete(key, query)
        if request.method == "POST":
            return self._create(key, body)
        if "apply" in request.content:
            return self._apply(key, body, query)
        return self._merge(key, body)

    def _discovery(self, version: str) -> Manifest:
        if version not in self.kinds:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        kinds = self.kinds[version].items()
        return {"resources": [{"kind": kind, "name": name, "namespaced": own} for kind, (name, own) in kinds]}

    def _kind(self, manifest: Manifest) -> tuple[str, str, bool]:
        plural, namespaced = self.kinds[manifest["apiVersion"]][manifest["kind"]]
        return manifest["apiVersion"], plural, namespaced

    def _parse(self, path: str) -> tuple[tuple[str, str, str, str], bool]:
        words = [unquote(word) for word in path.strip("/").split("/")]
        version, rest = ("/".join(words[1:3]), words[3:]) if words[0] == "apis" else (words[1], words[2:])
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        return (version, rest[0], namespace, rest[1] if len(rest) > 1 else ""), len(rest) == 1

    def _list(self, key: tuple[str, str, str, str], query: dict[str, str]) -> Manifest:
        version, plural, namespace, _ = key
        wanted = [word.partition("=") for word in query.get("labelSelector", "").split(",") if word]
        name = query.get("fieldSelector", "").removeprefix("metadata.name=")
        found = []
        for (at, kind, where, called), stored in sorted(self.objects.items()):
            if (at, kind) != (version, plural) or (namespace and where != namespace) or (name and called != name):
                continue
            labels = stored.document["metadata"].get("labels") or {}
            if all(labels.get(label) == value if equals else label in labels for label, equals, value in wanted):
                found.append(self._shown(stored))
        kind = next(word for word, (name_, _) in self.kinds[version].items() if name_ == plural)
        return {"apiVersion": version, "kind": f"{kind}List", "metadata": {}, "items": found}

    def _found(self, key: tuple[str, str, str, str]) -> Stored:
        if key not in self.objects:
            raise Refusal(404, "NotFound", f"{key[1]} {key[3]!r} not found")
        return self.objects[key]

    def _delete(self, key: tuple[str, str, str, str], query: dict[str, str]) -> Manifest:
        stored = self._found(key)
        if "dryRun" not in query:
            if stored.document["metadata"].get("finalizers"):
                stored.document["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            else:
                del self.objects[key]
        return {}

    def _create(self, key: tuple[str, str, str, str], body: Manifest) -> Manifest:
        key = (*key[:3], body["metadata"]["name"])
        if key in self.objects:
            raise Refusal(409, "AlreadyExists", "already exists")
        stored = self.objects[key] = Stored(body)
        self._stamp(stored)
        return self._shown(stored)

    def _merge(self, key: tuple[str, str, str, str], body: Manifest) -> Manifest:
        stored = self._found(key)
        version = body.get("metadata", {}).pop("resourceVersion", None)
        if version and version != stored.document["metadata"]["resourceVersion"]:
            raise Refusal(409, "Conflict", "the object has been modified")
        _merged(stored.document, body)
        self._stamp(stored)
        return self._shown(stored)

    def _apply(self, key: tuple[str, str, str, str], body: Manifest, query: dict[str, str]) -> Manifest:
        if key[2] and ("v1", "namespaces", "", key[2]) not in self.objects:
            raise Refusal(404, "NotFound", f"namespaces {key[2]!r} not found")
        assert query["fieldManager"]
        stored = copy.deepcopy(self.objects.get(key)) or Stored({})
        before = copy.deepcopy(stored.document)
        manager = query["fieldManager"]
        _refuse_conflicts(stored, body, manager, force="force" in query)
        declared = dict(leaves(body))
        for path in [path for path, owners in stored.owners.items() if manager in owners and path not in declared]:
            stored.owners[path].discard(manager)
            if not stored.owners[path]:
                _remove(stored.document, path)
        for path, value in declared.items():
            changed = _at(stored.document, path) != value
            _set(stored.document, path, value)
            stored.owners[path] = {manager} if changed else {*stored.owners.get(path, ()), manager}
        stored.applied.add(manager)
        changed = stored.document != before
        if "dryRun" not in query:
            self.objects[key] = stored
            if changed:
                self._stamp(stored)
                self.become(stored.document)
        return self._shown(stored)

    def _stamp(self, stored: Stored) -> None:
        self._version += 1
        meta = stored.document["metadata"]
        meta["resourceVersion"] = str(self._version)
        meta.setdefault("uid", f"uid-{self._version}")
        if "spec" in stored.document:
            meta["generation"] = meta.get("generation", 0) + 1

    def _shown(self, stored: Stored) -> Manifest:
        shown = copy.deepcopy(stored.document)
        owners = {owner for held in stored.owners.values() for owner in held}
        shown["metadata"]["managedFields"] = [
            {"manager": owner, "operation": "Apply" if owner in stored.applied else "Update", "time": self.time}
            for owner in sorted(owners)
        ]
        return shown


class LogText(Exception):
    """The text of a container's log."""


def _refuse_conflicts(stored: Stored, body: Manifest, manager: str, *, force: bool) -> None:
    causes = []
    for path, value in leaves(body):
        others = stored.owners.get(path, set()) - {manager}
        if others and _at(stored.document, path) != value:
            for other in sorted(others):
                message = f'conflict with "{other}" using v1'
                causes.append({"reason": "FieldManagerConflict", "message": message, "field": "." + ".".join(path)})
    if causes and not force:
        raise Refusal(409, "Conflict", f"Apply failed with {len(causes)} conflicts", causes)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value that is no map with its path; lists are values."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def _at(document: Any, path: Path) -> Any:
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return None
        document = document[key]
    return document


def _set(document: Manifest, path: Path, value: Any) -> None:
    for key in path[:-1]:
        document = document.setdefault(key, {})
    document[path[-1]] = copy.deepcopy(value)


def _remove(document: Manifest, path: Path) -> None:
    for key in path[:-1]:
        document = document.get(key, {})
    document.pop(path[-1], None)


def _merged(document: Manifest, body: Manifest) -> None:
    for key, value in body.items():
        if isinstance(value, dict) and isinstance(document.get(key), dict):
            _merged(document[key], value)
        else:
            document[key] = value


def _namespace(name: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "resourceVersion": "1"},
        "status": {"phase": "Active"},
    }


def ready(document: Manifest) -> None:
    """Make an object what its controller makes of it when all goes well."""
    generation = document["metadata"].get("generation", 1)
    if document["kind"] == "Namespace":
        document["status"] = {"phase": "Active"}
    if document["kind"] == "CustomResourceDefinition":
        document["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    if document["kind"] == "Deployment":
        count = document["spec"].get("replicas", 1)
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
        document["status"] = {"observedGeneration": generation, **counts}
