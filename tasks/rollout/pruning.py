"""Objects that a component brought once and renders no longer, deleted and seen to be gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from model.errors import KubernetesError, ObjectMissing, WaitExpired
from model.rollout.changes import ChangeKind, ObjectChange

if TYPE_CHECKING:
    from remote.kube import Cluster

_SECONDS = 60.0


def prune(cluster: Cluster, changes: Sequence[ObjectChange], done: Callable[[ObjectChange], None]) -> None:
    """
    Delete what a plan prunes, in the opposite order of its making; `done` hears of each that is gone.

    Raises `WaitExpired` naming the finalizers of one that stays; they are never taken away by force.
    """
    for change in reversed([change for change in changes if change.change is ChangeKind.PRUNED]):
        try:
            path = cluster.path(change.manifest)
            if cluster.delete(path):
                cluster.wait(path, lambda seen: not seen, f"{change.key} to be gone", _SECONDS)
        except ObjectMissing:
            pass
        except WaitExpired as error:
            raise _stuck(cluster, path, change, error) from error
        done(change)


def _stuck(cluster: Cluster, path: str, change: ObjectChange, error: WaitExpired) -> KubernetesError:
    live = cluster.find(path) or {"metadata": {}}
    names = ", ".join(live["metadata"].get("finalizers") or ()) or "nobody says what"
    words = f"{change.key} is being deleted and waits for: {names}"
    return WaitExpired(error.host, error.asked, words, "the controller that set the finalizer must take it away")
