"""Why an object does not become ready: what its pods, their containers and the events say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from model.kubernetes.manifests import Manifest, condition, name_of


class TroubleKind(StrEnum):
    """What holds an object up, as far as it is known."""

    PULL = "image pull"
    CRASH = "crash loop"
    CONFIG = "container configuration"
    QUOTA = "quota exceeded"
    ADMISSION = "refused by admission"
    STORAGE_CLASS = "missing storage class"
    CLAIM = "unbound claim"
    UNSCHEDULABLE = "unschedulable"
    MOUNT = "mount"
    OTHER = "not ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """
    One thing that is wrong: the object it is about, what was last said of it, and what to do.

    `patience`: after how many seconds no more time will help. `container` and `pod` say whose last lines tell more.
    """

    kind: TroubleKind
    about: str
    words: str
    next_step: str
    patience: float = float("inf")
    namespace: str = ""
    pod: str = ""
    container: str = ""

    @property
    def line(self) -> str:
        """What is wrong, as one line."""
        return f"{self.kind}: {self.about}: {self.words}"


_PULL = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_CONFIG = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_QUOTA = re.compile(r"exceeded quota|forbidden: .*quota", re.I)
_NO_CLASS = re.compile(r'storageclass\S* "?([^"\s]+)"? not found', re.I)
# What a busy or electing API server says: nobody has refused anything.
_PASSING = re.compile(r"internal error|timed out|timeout|etcdserver|connection refused|leader|try again|EOF", re.I)
_RESTARTS = 3


def troubles(pods: Sequence[Manifest], events: Sequence[Manifest], owner: str) -> tuple[Trouble, ...]:
    """
    Return what is wrong with the pods of an object, and what events say of it, worst first.

    `events` are those of the object, of its pods and claims; `owner` names the object.
    """
    found = [*_of_events(events), *(trouble for pod in pods for trouble in _of_pod(pod, events))]
    order = list(TroubleKind)
    unique = {(trouble.kind, trouble.about, trouble.words): trouble for trouble in found}
    ranked = sorted(unique.values(), key=lambda trouble: order.index(trouble.kind))
    return tuple(ranked) or tuple(_unclear(events, owner))


def _of_pod(pod: Manifest, events: Sequence[Manifest]) -> Iterator[Trouble]:
    status, name = pod.get("status") or {}, name_of({**pod, "kind": "Pod"})
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        yield _unscheduled(pod, name, str(scheduled.get("message", "")), events)
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        trouble = _of_container(pod, name, container, events)
        if trouble:
            yield trouble


def _unscheduled(pod: Manifest, name: str, words: str, events: Sequence[Manifest]) -> Trouble:
    if "persistentvolumeclaim" in words.lower() or "persistent volumes to bind" in words:
        claims = ", ".join(claims_of(pod))
        about = f"{name}, claim {claims}" if claims else name
        step = "`kubectl describe pvc` it: is there a volume of its class, on a node that may run the pod?"
        return Trouble(kind=TroubleKind.CLAIM, about=about, words=words, next_step=step, patience=90)
    last = last_event(events, pod["metadata"]["name"])
    step = "is a node of the role there, Ready, with room, and does the pod tolerate its taints?"
    return Trouble(kind=TroubleKind.UNSCHEDULABLE, about=name, words=words or last, next_step=step, patience=120)


def _of_container(pod: Manifest, name: str, status: Mapping[str, Any], events: Sequence[Manifest]) -> Trouble | None:
    state, container = status.get("state") or {}, status["name"]
    waiting = state.get("waiting") or {}
    reason, words = waiting.get("reason", ""), waiting.get("message", "")
    about = f"{name}, container {container}"
    where = {"namespace": pod["metadata"].get("namespace", ""), "pod": pod["metadata"]["name"], "container": container}
    if reason in _PULL:
        said = last_event(events, pod["metadata"]["name"], "Failed", "Failed to pull image") or words
        step = f"is {status.get('image', 'the image')} in the bundle or the registry, and on the node?"
        return Trouble(kind=TroubleKind.PULL, about=about, words=said or reason, next_step=step, patience=45, **where)
    if reason in _CONFIG:
        step = "does every Secret, ConfigMap and command that it names exist?"
        return Trouble(
            kind=TroubleKind.CONFIG, about=about, words=words or reason, next_step=step, patience=60, **where
        )
    ended = (status.get("lastState") or {}).get("terminated") or state.get("terminated") or {}
    restarts = int(status.get("restartCount", 0))
    loops = reason == "CrashLoopBackOff" or restarts >= _RESTARTS
    if (loops or restarts) and not status.get("ready") and ended:
        times = f"{restarts} time{'s' if restarts > 1 else ''}"
        said = f"ended with exit code {ended.get('exitCode')} ({ended.get('reason', '')}), started again {times}"
        step = f"read `kubectl -n {where['namespace']} logs {where['pod']} -c {container} --previous`"
        if not loops:
            # It may come about yet; what it said in the end is told all the same.
            return Trouble(kind=TroubleKind.OTHER, about=about, words=said, next_step=step, **where)
        calm = 0.0 if restarts >= _RESTARTS + 1 else 90.0
        return Trouble(kind=TroubleKind.CRASH, about=about, words=said, next_step=step, patience=calm, **where)
    return None


def _of_events(events: Sequence[Manifest]) -> Iterator[Trouble]:
    for event in events:
        if event.get("type") != "Warning":
            continue
        about, words, reason = _involved(event), str(event.get("message", "")), event.get("reason", "")
        if _QUOTA.search(words):
            step = "`kubectl describe resourcequota` shows what is used; widen it or ask for less"
            yield Trouble(kind=TroubleKind.QUOTA, about=about, words=words, next_step=step, patience=20)
        elif missing := _NO_CLASS.search(words):
            step = f"make the storage class {missing[1]} (`python -m flows.bootstrap --only storage`), or name another"
            yield Trouble(kind=TroubleKind.STORAGE_CLASS, about=about, words=words, next_step=step, patience=15)
        elif reason == "FailedCreate" and _PASSING.search(words):
            step = "the API server was not in a state to answer; it is asked again"
            yield Trouble(kind=TroubleKind.OTHER, about=about, words=words, next_step=step)
        elif reason == "FailedCreate":
            step = "correct what admission refuses: its message names field or policy"
            yield Trouble(kind=TroubleKind.ADMISSION, about=about, words=words, next_step=step, patience=45)
        elif reason in ("FailedMount", "FailedAttachVolume"):
            step = "does the Secret, ConfigMap or volume that it mounts exist?"
            yield Trouble(kind=TroubleKind.MOUNT, about=about, words=words, next_step=step)


def _unclear(events: Sequence[Manifest], owner: str) -> Iterator[Trouble]:
    if events:
        step = "`kubectl describe` it, and read its controller's log"
        words = f"{events[-1].get('reason', '')}: {events[-1].get('message', '')}"
        yield Trouble(kind=TroubleKind.OTHER, about=owner, words=words, next_step=step)


def claims_of(pod: Manifest) -> tuple[str, ...]:
    """Return the names of the claims that a pod has."""
    volumes = [volume.get("persistentVolumeClaim") for volume in (pod.get("spec") or {}).get("volumes") or ()]
    return tuple(volume["claimName"] for volume in volumes if volume)


def last_event(events: Sequence[Manifest], name: str, reason: str = "", begins: str = "") -> str:
    """Return what the last event of an object says that has this reason and beginning, empty where there is none."""
    fitting = [
        event
        for event in events
        if (event.get("involvedObject") or {}).get("name") == name
        and (not reason or event.get("reason") == reason)
        and str(event.get("message", "")).startswith(begins)
    ]
    return str(fitting[-1].get("message", "")) if fitting else ""


def by_time(events: Sequence[Manifest]) -> list[Manifest]:
    """Return events, the last at the end."""

    def when(event: Manifest) -> str:
        series = event.get("series") or {}
        times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
        return max((str(time) for time in times if time), default="")

    return sorted(events, key=when)


def _involved(event: Manifest) -> str:
    involved = event.get("involvedObject") or {}
    return name_of({"kind": involved.get("kind", "object"), "metadata": involved})
