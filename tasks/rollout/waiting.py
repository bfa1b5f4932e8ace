"""Waiting until applied objects are ready, and the reason where they do not become so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from model.errors import ApiUnreachable, KubernetesError
from model.kubernetes.manifests import Manifest
from model.rollout.keys import ObjectKey, key_of
from model.rollout.last_words import claim_words, container_words, event_words
from model.rollout.readiness import READY, Readiness, readiness
from model.rollout.rendered import pod_template
from model.rollout.trouble import Trouble, TroubleKind, by_time, claims_of, troubles
from tasks.rollout.live import OURS
from tasks.rollout.pods import last_lines, newest_pods

if TYPE_CHECKING:
    from remote.kube import Cluster

_PAUSE = 0.5
_CLAIMING = ("StatefulSet", "Cluster", "Deployment")
# What keeps a claim from being bound: its own event says more than that of the pod which waits for it.
_OF_CLAIMS = (TroubleKind.CLAIM, TroubleKind.STORAGE_CLASS)
# What a container without a readiness probe that ends at once has no time to hide.
_SETTLED_SECONDS = 5.0
# So long after a change nobody who does not say which version he has looked at is believed: operators look at once.
_NOTICED_SECONDS = 5.0
# They say what state they saw, and not of which version.
_WITHOUT_GENERATION = (("postgresql.cnpg.io", "Cluster"),)
# Of one part of a line.
_LONGEST = 200
# Before that nobody has had time to say anything.
_DIAGNOSED_AFTER = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unready:
    """
    An object that is not ready: what its condition says, for how long and since when (UTC) it is waited for, what its
    last event and its first container that is not ready say, and what troubles it. `next_step` is what its kind says is
    to be done, empty where only the troubles tell.
    """

    key: ObjectKey
    why: str
    seconds: float
    since: datetime
    event: str = ""
    container: str = ""
    troubles: tuple[Trouble, ...] = ()
    hopeless: bool = False
    log: tuple[str, ...] = ()
    next_step: str = ""

    @property
    def line(self) -> str:
        """One line for a person."""
        return f"{self.key}: {self.story}; since {self.since:%H:%M:%S} UTC, {self.seconds:.0f} s"

    @property
    def story(self) -> str:
        """What is said of it, without how long it lasts."""
        parts = [self.why]
        parts += [f"container {self.container}"] if self.container else []
        parts += [f"last event {self.event}"] if self.event else []
        told = "; ".join(" ".join(part.split()) for part in parts)
        if self.troubles and self.troubles[0].words not in told:
            parts.insert(1, self.troubles[0].line)
        return "; ".join(_cut(" ".join(part.split())) for part in parts)


class ReadinessWait:
    """
    Waits for objects; `tell` hears of all that are not ready, after every look; `stop` ends it from outside.

    `seen`: objects as they were a moment ago, when nobody has written anything since: the first look takes these.
    """

    def __init__(
        self,
        cluster: Cluster,
        seconds: float,
        tell: Callable[[tuple[Unready, ...]], None],
        stop: threading.Event,
        seen: Mapping[ObjectKey, Manifest] | None = None,
    ) -> None:
        self._cluster, self._seconds, self._tell, self._stop = cluster, seconds, tell, stop
        self._since: dict[tuple[str, str], float] = {}
        self._seen: dict[tuple[str, str], float] = {}
        self._old: frozenset[tuple[str, str]] | None = None
        # Of this look, by namespace.
        self._heard: dict[str, tuple[Manifest, ...]] = {}
        self._started = time.monotonic()
        self._begun = datetime.now(UTC)
        self._before = seen or {}

    def until_ready(self, manifests: Sequence[Manifest]) -> tuple[Unready, ...]:
        """Return the objects that did not become ready in time, or never will, none where all are."""
        left = list(manifests)
        unready = self._look(left)
        self._old = frozenset(map(_version, self._events(unready)))
        while unready:
            found = tuple(unready.values())
            self._tell(found)
            if self._over or any(entry.hopeless for entry in found) or self._stop.is_set():
                return tuple(replace(entry, log=last_lines(self._cluster, entry.troubles)) for entry in found)
            left = [manifest for manifest in left if key_of(manifest) in unready]
            self._stop.wait(_PAUSE)
            unready = self._look(left)
        return ()

    @property
    def _over(self) -> bool:
        return time.monotonic() - self._started > self._seconds

    def _events(self, keys: Iterable[ObjectKey]) -> Iterator[Manifest]:
        for namespace in {key.namespace for key in keys if key.namespace}:
            if namespace not in self._heard:
                self._heard[namespace] = self._events_of(namespace)
            yield from self._heard[namespace]

    def _events_of(self, namespace: str) -> tuple[Manifest, ...]:
        try:
            return tuple(self._cluster.list(f"/api/v1/namespaces/{namespace}/events"))
        except KubernetesError:
            return ()

    def _look(self, manifests: Sequence[Manifest]) -> dict[ObjectKey, Unready]:
        self._heard = {}
        try:
            live = self._live(manifests)
            states = {key_of(manifest): self._state(live.get(key_of(manifest))) for manifest in manifests}
            unready = {key: state for key, state in states.items() if not state.ready}
            return {key: self._described(live.get(key), key, state) for key, state in unready.items()}
        except ApiUnreachable as error:
            seconds = time.monotonic() - self._started
            return {
                key_of(manifest): Unready(key=key_of(manifest), why=error.message, seconds=seconds, since=self._begun)
                for manifest in manifests
            }

    def _state(self, live: Manifest | None) -> Readiness:
        if live is None:
            return Readiness(False, "is not there any more")
        state = readiness(live)
        if not state.ready:
            return state
        if (live["apiVersion"].rpartition("/")[0], live["kind"]) in _WITHOUT_GENERATION:
            return self._noticed(live)
        return self._settled(live) if unprobed(live) else state

    def _noticed(self, live: Manifest) -> Readiness:
        """Judge what says that all is well, though perhaps of what it was before its last change."""
        changes = [entry for entry in live["metadata"].get("managedFields") or () if not entry.get("subresource")]
        changed = max((entry["time"] for entry in changes if entry.get("time")), default="")
        young = changed and self._is_young(str(key_of(live)), changed, _NOTICED_SECONDS)
        return Readiness(False, "its operator has had no time to look at its newest version") if young else READY

    def _is_young(self, name: str, since: str, seconds: float) -> bool:
        """Tell whether something began less than so long ago, by the clock that says more."""
        first = self._seen.setdefault((name, since), time.monotonic())
        age = (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()
        return time.monotonic() - first < seconds and age < seconds

    def _settled(self, live: Manifest) -> Readiness:
        """Judge pods that say they are ready because nobody asks them: they must have gone on for a while."""
        young = [name for pod in newest_pods(self._cluster, live) for name in self._young(pod)]
        return Readiness(False, f"{young[0]} has only just started, and has no readiness probe") if young else READY

    def _young(self, pod: Manifest) -> Iterator[str]:
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            name = f"{pod['metadata']['name']}/{status['name']}"
            begun = ((status.get("state") or {}).get("running") or {}).get("startedAt")
            if begun is None:
                yield name
                continue
            if self._is_young(name, begun, _SETTLED_SECONDS):
                yield name

    def _live(self, manifests: Sequence[Manifest]) -> dict[ObjectKey, Manifest]:
        """Return the objects that are there: ours are listed; one that lost its label is asked for by its name."""
        before, self._before = self._before, {}
        live = {key: before[key] for key in map(key_of, manifests) if key in before}
        paths = {
            key_of(manifest): self._cluster.path(manifest) for manifest in manifests if key_of(manifest) not in live
        }
        collections = dict.fromkeys(path.rpartition("/")[0] for path in paths.values())
        live |= {key_of(found): found for path in collections for found in self._cluster.list(path, labels=OURS)}
        for key, path in paths.items():
            if key not in live and (found := self._cluster.find(path)) is not None:
                live[key] = found
        return live

    def _described(self, live: Manifest | None, key: ObjectKey, state: Readiness) -> Unready:
        seconds = time.monotonic() - self._started
        unready = Unready(
            key=key,
            why=state.why,
            seconds=seconds,
            since=self._begun,
            hopeless=state.hopeless,
            next_step=state.next_step,
        )
        if live is None or seconds <= _DIAGNOSED_AFTER or not key.namespace:
            return unready
        unready = self._diagnosed(live, unready)
        return replace(unready, hopeless=state.hopeless or any(map(self._too_long, unready.troubles)))

    def _diagnosed(self, live: Manifest, unready: Unready) -> Unready:
        """Return the same with what its pods and its events say."""
        key = unready.key
        try:
            pods = newest_pods(self._cluster, live)
            events = by_time(list(self._events((key,))))
        except KubernetesError:
            return unready
        told = [event for event in events if _about(event, pods, key) and self._fresh(event)]
        found = troubles(pods, told, str(key))
        unbound = key.kind != "PersistentVolumeClaim" and any(trouble.kind in _OF_CLAIMS for trouble in found)
        return replace(
            unready,
            troubles=found,
            event=(claim_words(told) if unbound else "") or event_words(told),
            container=container_words(pods),
        )

    def _fresh(self, event: Manifest) -> bool:
        """Tell whether an event counts: an older one may tell of what was mended since, until nothing else is left."""
        return self._over or (self._old is not None and _version(event) not in self._old)

    def _too_long(self, trouble: Trouble) -> bool:
        since = self._since.setdefault((trouble.kind, trouble.about), time.monotonic())
        return time.monotonic() - since >= trouble.patience


def unprobed(live: Manifest) -> bool:
    """Tell whether a workload that goes on has a container that nobody asks whether it is ready."""
    template = pod_template(live) if live["kind"] in ("Deployment", "StatefulSet", "DaemonSet") else None
    containers = (template or {}).get("spec", {}).get("containers") or ()
    return any("readinessProbe" not in container for container in containers)


def _cut(words: str) -> str:
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 3]}..."


def _version(event: Manifest) -> tuple[str, str]:
    return event["metadata"].get("uid", ""), event["metadata"].get("resourceVersion", "")


def _about(event: Manifest, pods: Sequence[Manifest], key: ObjectKey) -> bool:
    """Tell whether an event is of the object, its pods, its replica sets, or a claim that its pods have."""
    involved = event.get("involvedObject") or {}
    name, kind = str(involved.get("name", "")), involved.get("kind")
    if kind == key.kind:
        return name == key.name
    if kind == "Pod":
        return any(name == pod["metadata"]["name"] for pod in pods)
    if kind in ("ReplicaSet", "Job") and key.kind in ("Deployment", "CronJob"):
        return name.startswith(f"{key.name}-")
    if kind != "PersistentVolumeClaim":
        return False
    made = key.kind in _CLAIMING and f"-{key.name}-" in f"-{name}-"
    return made or any(name in claims_of(pod) for pod in pods)
