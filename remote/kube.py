"""Access to the Kubernetes API: through the SSH connection of whichever control plane gives access to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from model.errors import ApiUnreachable, ObjectMissing, WaitExpired
from model.kubernetes.manifests import FIELD_MANAGER, Manifest, difference
from model.site.site import Site
from remote.api_endpoint import ApiEndpoint, ApiRequest
from remote.api_failover import RETRY_SECONDS, ApiFailover
from remote.api_paths import ApiKinds, is_object

if TYPE_CHECKING:
    from nornir.core import Nornir

PatchKind = Literal["merge", "strategic", "json"]
_PATCHES: Mapping[PatchKind, str] = {"merge": "merge-patch", "strategic": "strategic-merge-patch", "json": "json-patch"}
_PAUSE_SECONDS = 0.3
_PAGE = 500

Query = Mapping[str, str]
Manifests = list[Manifest]


class AppliedObject(NamedTuple):
    """An object before (None: it was not there) and after it was applied, or would have been."""

    before: Manifest | None
    after: Manifest

    @property
    def lines(self) -> tuple[str, ...]:
        """How it changes, as a person reads it; empty where it does not."""
        return difference(self.before, self.after)


@contextmanager
def open_cluster(nr: Nornir, site: Site, names: Sequence[str] | None = None) -> Iterator[Cluster]:
    """
    Give access to the site's cluster through its control planes (`names`: only through these); nothing is connected to
    yet.

    Connections to hosts stay Nornir's; those to the API end with the block.
    """
    endpoint = site.settings.kubernetes.endpoint.name
    planes = [machine for machine in site.control_planes if machine.own]
    chosen = [machine for machine in planes if names is None or machine.name in names]
    cluster = Cluster([ApiEndpoint(nr.inventory.hosts[machine.name], machine.own[0], endpoint) for machine in chosen])
    try:
        yield cluster
    finally:
        cluster.close()


class Cluster:
    """
    A cluster's API. Paths are those of Kubernetes' reference: `/api/v1/nodes/cp-1`.

    Every method may be called from several threads. Where an endpoint fails the next one is tried, and whoever answered
    is asked first from then on; a request that may have been carried out is only repeated where that does no harm.
    Raises `KubernetesError` and its kinds.
    """

    def __init__(self, endpoints: Sequence[ApiEndpoint], timeout: float = RETRY_SECONDS) -> None:
        self._api = ApiFailover(endpoints, timeout)
        self._kinds = ApiKinds(self._api)

    def get(self, path: str) -> Manifest:
        """Return an object; raises `ObjectMissing`."""
        return self._object(ApiRequest("GET", path))

    def find(self, path: str) -> Manifest | None:
        """Return an object, None where there is none."""
        try:
            return self.get(path)
        except ObjectMissing:
            return None

    def text(self, path: str, query: Query | None = None) -> str:
        """Return what a path answers, as text (logs, metrics)."""
        return self._api.ask(ApiRequest("GET", path, _pairs(query))).body.decode(errors="replace")

    def list(self, path: str, *, labels: str = "", fields: str = "") -> Manifests:
        """Return every object of a collection; `labels` and `fields` are selectors."""
        return self._listed(path, labels, fields)

    def apply(self, manifest: Manifest, *, field_manager: str = FIELD_MANAGER, dry_run: bool = False) -> AppliedObject:
        """
        Make an object hold what `manifest` says of it (server-side apply); what others wrote beside that stays.

        A dry run asks the server what would come of it. Where the object's namespace does not exist yet, that is the
        manifest.
        """
        path = self.path(manifest)
        before = self.find(path)
        query = {"fieldManager": field_manager, "force": "true"} | _dry(dry_run)
        try:
            after = self._object(ApiRequest("PATCH", path, _pairs(query), manifest, "application/apply-patch+yaml"))
        except ObjectMissing:
            if not dry_run:
                raise
            after = manifest
        return AppliedObject(before, after)

    def diff(self, manifest: Manifest) -> tuple[str, ...]:
        """Say what applying a manifest would change, by the server's own dry run."""
        return self.apply(manifest, dry_run=True).lines

    def create(self, path: str, manifest: Manifest) -> Manifest:
        """Create an object in a collection, or post to a subresource such as `.../eviction`."""
        return self._object(ApiRequest("POST", path, _pairs({"fieldManager": FIELD_MANAGER}), manifest))

    def patch(self, path: str, body: Any, *, kind: PatchKind = "merge", dry_run: bool = False) -> Manifest:
        """Patch an object (`merge`, `strategic` or `json`) and return it as it is then."""
        query = {"fieldManager": FIELD_MANAGER} | _dry(dry_run)
        return self._object(ApiRequest("PATCH", path, _pairs(query), body, f"application/{_PATCHES[kind]}+json"))

    def delete(self, path: str, *, dry_run: bool = False, at_once: bool = False, orphan: bool = False) -> bool:
        """
        Delete an object, what depends on it in the background; False where it was not there. `at_once`: nobody is given
        time to end; `orphan`: what depends on it stays.
        """
        query = (
            {"propagationPolicy": "Orphan" if orphan else "Background"}
            | _dry(dry_run)
            | ({"gracePeriodSeconds": "0"} if at_once else {})
        )
        try:
            self._api.ask(ApiRequest("DELETE", path, _pairs(query)))
        except ObjectMissing:
            return False
        return True

    def wait(self, path: str, met: Callable[[Manifests], bool], awaited: str, seconds: float) -> Manifests:
        """
        Look at a collection, or at the one object of a path, until it is as it should be; return its objects.

        `met` is asked about each look; `awaited` says in a person's words what for. Raises `WaitExpired`. An API that
        does not answer meanwhile is asked again until the time is up.
        """
        collection, _, name = path.rpartition("/") if is_object(path) else (path, "", "")
        fields = f"metadata.name={name}" if name else ""
        deadline = time.monotonic() + seconds
        pause = _PAUSE_SECONDS / 4
        why = "it was not"
        while True:
            try:
                seen = self._listed(collection, "", fields, max(0.0, deadline - time.monotonic()))
                if met(seen):
                    return seen
            except ApiUnreachable as error:
                why = error.message
            if time.monotonic() + pause > deadline:
                raise WaitExpired(self._api.first, awaited, f"not within {seconds:g} s ({why})", f"look at {path}")
            threading.Event().wait(pause)
            pause = min(pause * 1.5, 2 * _PAUSE_SECONDS)

    def healthy(self) -> tuple[str, ...]:
        """Return the complaints of an API server about itself: none where it is ready."""
        answer = self._api.answer(ApiRequest("GET", "/readyz", (("verbose", ""),)))
        if answer.status == 200:
            return ()
        lines = [line for line in answer.body.decode(errors="replace").splitlines() if line.startswith("[-]")]
        return tuple(lines) or (f"{answer.host}: not ready (HTTP {answer.status})",)

    def send(self, request: ApiRequest) -> Manifest:
        """Send a request as it is and return the object that answers it."""
        return self._object(request)

    def path(self, manifest: Mapping[str, Any]) -> str:
        """Return an object's path; the server is asked once a group what it calls its kinds."""
        return self._kinds.path(manifest)

    def collection(self, manifest: Mapping[str, Any]) -> str:
        """Return the path of all objects of an object's kind."""
        return self._kinds.collection(manifest)

    def close(self) -> None:
        """Close every connection to the API."""
        self._api.close()

    def _listed(self, path: str, labels: str, fields: str, timeout: float | None = None) -> Manifests:
        query = {"limit": str(_PAGE), "labelSelector": labels, "fieldSelector": fields}
        items: Manifests = []
        while True:
            page = self._api.ask(ApiRequest("GET", path, _pairs(query)), timeout).document
            kind, version = page.get("kind", "List").removesuffix("List"), page.get("apiVersion", "")
            # Only the list itself says what its items are.
            items += [{"apiVersion": version, "kind": kind} | item for item in page.get("items") or ()]
            query["continue"] = page.get("metadata", {}).get("continue", "")
            if not query["continue"]:
                return items

    def _object(self, request: ApiRequest) -> Manifest:
        return self._api.ask(request).document


def _pairs(query: Query | None) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in (query or {}).items() if value)


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}
