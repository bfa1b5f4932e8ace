"""How a publisher's own objects are fitted to a site: images, rights, places, budgets."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from model.errors import SiteError
from model.kubernetes.manifests import Manifest, name_of
from model.rollout.rendered import pod_template

Image = Callable[[str], str]
CONTAINER_RIGHTS: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def without(objects: Iterable[Manifest], *left_out: tuple[str, str]) -> list[Manifest]:
    """Return the objects but those of these kinds and names. Raises `SiteError` where one of them is not there."""
    kept, missing = [], set(left_out)
    for manifest in objects:
        known = (str(manifest["kind"]), str(manifest["metadata"]["name"]))
        if known in left_out:
            missing.discard(known)
        else:
            kept.append(manifest)
    if missing:
        raise _changed(sorted(f"{kind} {name}" for kind, name in missing))
    return kept


def the(objects: Sequence[Manifest], kind: str, name: str) -> Manifest:
    """
    Return the object of a kind that is called so, or else the one whose name begins so.

    Raises `SiteError` where there is not exactly one.
    """
    beginning = [m for m in objects if m["kind"] == kind and str(m["metadata"]["name"]).startswith(name)]
    found = [m for m in beginning if m["metadata"]["name"] == name] or beginning
    if len(found) != 1:
        raise _changed([f"{kind} {name}"])
    return found[0]


def pods(objects: Iterable[Manifest]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the pod template of every workload."""
    for manifest in objects:
        if (template := pod_template(manifest)) is not None:
            yield name_of(manifest), dict(template) if manifest["kind"] == "Pod" else template  # type: ignore[misc]


def containers(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every container of a pod template, those that initialise it first."""
    spec = template["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def harden(template: dict[str, Any], user: int, token: bool) -> None:
    """Take from a pod what it does not need: rights, a writable root, environment of Services, its account's token."""
    spec = template["spec"]
    spec["automountServiceAccountToken"] = token
    spec["enableServiceLinks"] = False
    spec["securityContext"] = {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in containers(template):
        container["securityContext"] = copy.deepcopy(dict(CONTAINER_RIGHTS))
        container["imagePullPolicy"] = "IfNotPresent"


def label(template: dict[str, Any], word: str) -> None:
    """Give a pod the word by which ports.yaml knows it."""
    template["metadata"].setdefault("labels", {})["matrix-fleet.io/pod"] = word


def resources(container: dict[str, Any], cpu: str, request: str, limit: str) -> None:
    """Say what a container asks for and may use: memory is limited, CPU is not."""
    container["resources"] = {"requests": {"cpu": cpu, "memory": request}, "limits": {"memory": limit}}


def place(template: dict[str, Any], roles: Iterable[str], apart: Mapping[str, str] | None) -> None:
    """Put a pod on nodes of these roles; `apart`: no two pods of these labels on one node."""
    terms = [{"matchExpressions": [expression(f"matrix-fleet.io/role-{role}", ["true"])]} for role in roles]
    affinity: dict[str, Any] = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    }
    if apart:
        affinity["podAntiAffinity"] = {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": dict(apart)}}
            ]
        }
    template["spec"]["affinity"] = affinity


def expression(key: str, values: Sequence[str]) -> dict[str, Any]:
    """Return what a node's label must be."""
    return {"key": key, "operator": "In", "values": list(values)}


def argument(container: dict[str, Any], name: str, value: str) -> None:
    """Set an option of a program, in place of the one it has."""
    kept = [text for text in container.get("args", ()) if text != name and not str(text).startswith(f"{name}=")]
    container["args"] = [*kept, f"{name}={value}"]


def _changed(missing: Sequence[str]) -> SiteError:
    return SiteError(
        f"the publisher's manifest has no longer what is adapted here: {', '.join(missing)}",
        next_step="bring the version that images.yaml names, or adapt model/rollout/values to the new one",
    )
