"""Waiting until applied objects are ready, and the reason where they do not become so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.errors import ApiUnreachable, KubernetesError
from model.kubernetes.manifests import Manifest
from model.rollout.keys import ObjectKey, key_of
from model.rollout.readiness import Readiness, readiness
from model.rollout.rendered import pod_template
from model.rollout.trouble import Trouble, by_time, troubles

if TYPE_CHECKING:
    from remote.kube import Cluster

_PAUSE = 0.5
_LOG_LINES = 8
# Before that nobody has had time to say anything.
_DIAGNOSED_AFTER = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unready:
    """An object that is not ready: what its state says, since when it is waited for, and what troubles it."""

    key: ObjectKey
    why: str
    seconds: float
    troubles: tuple[Trouble, ...] = ()
    hopeless: bool = False
    log: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """One line for a person."""
        first = (
            f"; {self.troubles[0].kind}: {self.troubles[0].about}: {self.troubles[0].words}" if self.troubles else ""
        )
        return f"{self.key}: {self.why}{first}, for {self.seconds:.0f} s"


class ReadinessWait:
    """Waits for objects; `tell` hears of all that are not ready, after every look; `stop` ends it from outside."""

    def __init__(
        self, cluster: Cluster, seconds: float, tell: Callable[[tuple[Unready, ...]], None], stop: threading.Event
    ) -> None:
        self._cluster, self._seconds, self._tell, self._stop = cluster, seconds, tell, stop
        self._since: dict[tuple[str, str], float] = {}
        self._started = time.monotonic()

    def until_ready(self, manifests: Sequence[Manifest]) -> tuple[Unready, ...]:
        """Return the objects that did not become ready in time, or never will, none where all are."""
        left = list(manifests)
        while True:
            unready = self._look(left)
            if not unready:
                return ()
            found = tuple(unready.values())
            self._tell(found)
            over = time.monotonic() - self._started > self._seconds
            if over or any(entry.hopeless for entry in found) or self._stop.is_set():
                return tuple(self._with_log(entry) for entry in found)
            left = [manifest for manifest in left if key_of(manifest) in unready]
            self._stop.wait(_PAUSE)

    def _look(self, manifests: Sequence[Manifest]) -> dict[ObjectKey, Unready]:
        try:
            live = {key: found for path in self._paths(manifests) for key, found in self._listed(path)}
            states = {key_of(manifest): _state(live.get(key_of(manifest))) for manifest in manifests}
            unready = {key: state for key, state in states.items() if not state.ready}
            return {key: self._described(live.get(key), key, state) for key, state in unready.items()}
        except ApiUnreachable as error:
            seconds = time.monotonic() - self._started
            return {
                key_of(manifest): Unready(key=key_of(manifest), why=error.message, seconds=seconds)
                for manifest in manifests
            }

    def _paths(self, manifests: Sequence[Manifest]) -> list[str]:
        return list(dict.fromkeys(self._cluster.path(manifest).rpartition("/")[0] for manifest in manifests))

    def _listed(self, path: str) -> list[tuple[ObjectKey, Manifest]]:
        return [(key_of(found), found) for found in self._cluster.list(path)]

    def _described(self, live: Manifest | None, key: ObjectKey, state: Readiness) -> Unready:
        seconds = time.monotonic() - self._started
        found: tuple[Trouble, ...] = ()
        if live is not None and seconds > _DIAGNOSED_AFTER and key.namespace:
            found = self._troubles(live, key)
        hopeless = state.hopeless or any(self._too_long(trouble) for trouble in found)
        return Unready(key=key, why=state.why, seconds=seconds, troubles=found, hopeless=hopeless)

    def _troubles(self, live: Manifest, key: ObjectKey) -> tuple[Trouble, ...]:
        root = f"/api/v1/namespaces/{key.namespace}"
        selector = pod_labels(live)
        try:
            pods = self._cluster.list(f"{root}/pods", labels=selector) if selector else []
            events = by_time(self._cluster.list(f"{root}/events"))
        except KubernetesError:
            return ()
        names = {key.name, *(pod["metadata"]["name"] for pod in pods)}
        return troubles(
            [pod for pod in pods if _new(pod)], [event for event in events if _about(event, names, key)], str(key)
        )

    def _too_long(self, trouble: Trouble) -> bool:
        since = self._since.setdefault((trouble.kind, trouble.about), time.monotonic())
        return time.monotonic() - since >= trouble.patience

    def _with_log(self, entry: Unready) -> Unready:
        pod = next((trouble for trouble in entry.troubles if trouble.pod and trouble.container), None)
        if pod is None:
            return entry
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.pod}/log"
        for previous in ("true", ""):
            query = {"container": pod.container, "tailLines": str(_LOG_LINES), "previous": previous}
            try:
                lines = tuple(self._cluster.text(path, query).splitlines())
            except KubernetesError:
                continue
            if lines:
                return Unready(
                    key=entry.key,
                    why=entry.why,
                    seconds=entry.seconds,
                    troubles=entry.troubles,
                    hopeless=entry.hopeless,
                    log=lines,
                )
        return entry


def pod_labels(live: Manifest) -> str:
    """Return the selector of an object's pods; empty where it has none."""
    if live["kind"] == "Cluster":
        return f"cnpg.io/cluster={live['metadata']['name']}"
    if live["kind"] == "Job":
        return f"batch.kubernetes.io/job-name={live['metadata']['name']}"
    if pod_template(live) is None or live["kind"] == "CronJob":
        return ""
    labels = ((live.get("spec") or {}).get("selector") or {}).get("matchLabels") or live["metadata"].get("labels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _state(live: Manifest | None) -> Readiness:
    return Readiness(False, "is not there any more") if live is None else readiness(live)


def _new(pod: Manifest) -> bool:
    return not pod["metadata"].get("deletionTimestamp")


def _about(event: Manifest, names: set[str], key: ObjectKey) -> bool:
    """Tell whether an event is of the object, its pods, its replica sets, or a claim made for them."""
    involved = event.get("involvedObject") or {}
    name, kind = str(involved.get("name", "")), involved.get("kind")
    if name in names:
        return True
    return (kind in ("ReplicaSet", "Pod", "Job") and name.startswith(f"{key.name}-")) or (
        kind == "PersistentVolumeClaim" and f"-{key.name}-" in f"-{name}"
    )
