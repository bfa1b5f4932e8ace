"""What the containers and events of an object that is not ready said last, each in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model.kubernetes.manifests import Manifest, name_of


def container_words(pods: Sequence[Manifest]) -> str:
    """Return the first container that is not ready, `POD/NAME: reason: message`; empty where no pod has one."""
    return next((words for pod in pods for words in _of_pod(pod)), "")


def event_words(events: Sequence[Manifest]) -> str:
    """Return the last of events that are in their order, `reason: message`; empty where there is none."""
    return _joined(events[-1].get("reason"), events[-1].get("message")) if events else ""


def claim_words(events: Sequence[Manifest]) -> str:
    """Return the last of these events that is of a claim, `reason of CLAIM: message`; empty where none is."""
    involved = [(event, event.get("involvedObject") or {}) for event in events]
    of_claims = [(event, claim) for event, claim in involved if claim.get("kind") == "PersistentVolumeClaim"]
    if not of_claims:
        return ""
    event, claim = of_claims[-1]
    about = name_of({"kind": claim["kind"], "metadata": claim})
    return _joined(f"{event.get('reason') or 'an event'} of {about}", event.get("message"))


def _of_pod(pod: Manifest) -> Iterator[str]:
    status = pod.get("status") or {}
    for initial, key in ((True, "initContainerStatuses"), (False, "containerStatuses")):
        for entry in status.get(key) or ():
            if words := _words(entry, initial=initial):
                yield f"{pod['metadata']['name']}/{entry['name']}: {words}"


def _words(entry: Mapping[str, Any], *, initial: bool) -> str:
    state = entry.get("state") or {}
    if "waiting" in state:
        return _joined(state["waiting"].get("reason"), state["waiting"].get("message")) or "waits"
    ended = state.get("terminated")
    if ended and ended.get("exitCode"):
        return _joined(ended.get("reason"), f"exit code {ended['exitCode']}")
    if ended or entry.get("ready"):
        return ""
    return "runs before the others" if initial else "runs, not ready"


def _joined(*words: object) -> str:
    return ": ".join(str(word).strip() for word in words if word)
