"""Server-side apply as the rollout does it: fields are validated strictly, and nobody's field is taken by accident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.errors import KubernetesError, ObjectMissing
from model.kubernetes.manifests import FIELD_MANAGER, Manifest, name_of
from remote.api_endpoint import ApiRequest

if TYPE_CHECKING:
    from remote.kube import Cluster

# Admission may ask webhooks, each of which may take ten seconds.
_SECONDS = 30.0


def apply_strictly(cluster: Cluster, manifest: Manifest, *, force: bool = False, dry_run: bool = False) -> Manifest:
    """
    Make an object hold what `manifest` says of it and return it as it is then, or would be.

    A field that another manager holds is a conflict (status 409, its causes name manager and field) unless `force`.
    Raises `KubernetesError`, which never quotes a Secret; `ObjectMissing` for a namespace or kind that is not there.
    """
    query = [("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict")]
    query += [("force", "true")] if force else []
    query += [("dryRun", "All")] if dry_run else []
    path = cluster.path(manifest)
    request = ApiRequest("PATCH", path, tuple(query), manifest, "application/apply-patch+yaml", _SECONDS)
    try:
        return cluster.send(request)
    except KubernetesError as error:
        if manifest["kind"] != "Secret":
            raise
        quiet = _without_values(error, manifest)
    raise quiet


def _without_values(error: KubernetesError, manifest: Manifest) -> KubernetesError:
    """Return the error without the server's text, which quotes what it refuses."""
    fields = ", ".join(dict.fromkeys(cause.field for cause in error.causes if cause.field))
    words = " ".join(filter(None, (error.reason or "refused", f"at {fields}" if fields else "")))
    kind = ObjectMissing if isinstance(error, ObjectMissing) else KubernetesError
    return kind(
        error.host,
        error.asked,
        f"{name_of(manifest)}: {words} ({error.status}); its text is left out, since it may quote values",
        error.next_step,
        status=error.status,
        reason=error.reason,
        causes=tuple(cause for cause in error.causes if cause.reason == "FieldManagerConflict"),
    )
