"""Which images a node must have: those of every pod that may run there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from model.kubernetes.cluster import Taint
from model.kubernetes.labels import CONTROL_PLANE, joining, labels
from model.kubernetes.manifests import Manifest
from model.rollout.image_places import containers_of, is_database
from model.rollout.rendered import RenderedComponent, pod_template
from model.site.hosts import Machine
from model.site.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNeed:
    """An image that pods of a component need, and where they may run."""

    component: str
    reference: str
    hosts: tuple[str, ...]


def image_needs(site: Site, rendered: Iterable[RenderedComponent]) -> tuple[ImageNeed, ...]:
    """Return what the pods of components need, each image of a component once."""
    everything = tuple(rendered)
    found: dict[tuple[str, str], dict[str, None]] = {}
    for component in everything:
        for manifest in component.objects:
            hosts = [machine.name for machine in site.machines if machine.node and _runs_on(site, machine, manifest)]
            for _, reference in containers_of(manifest, everything):
                found.setdefault((component.name, reference), {}).update(dict.fromkeys(hosts))
    return tuple(
        ImageNeed(component=name, reference=reference, hosts=tuple(hosts))
        for (name, reference), hosts in found.items()
        # Without a digest nobody knows which image is meant: kubelet pulls what the name stands for then.
        if hosts and "@" in reference
    )


def by_host(needs: Iterable[ImageNeed]) -> dict[str, tuple[str, ...]]:
    """Return the images that each host needs, each once."""
    found: dict[str, dict[str, None]] = {}
    for need in needs:
        for host in need.hosts:
            found.setdefault(host, {})[need.reference] = None
    return {host: tuple(references) for host, references in found.items()}


def _runs_on(site: Site, machine: Machine, manifest: Manifest) -> bool:
    """Tell whether pods of an object may be put on a node, by its labels and taints."""
    if is_database(manifest):
        wishes = manifest["spec"].get("affinity") or {}
        pod: Mapping[str, Any] = {**wishes, "affinity": {"nodeAffinity": wishes.get("nodeAffinity") or {}}}
    elif (template := pod_template(manifest)) is not None:
        pod = template["spec"]
    else:
        return False
    given = node_labels(site, machine)
    selector = pod.get("nodeSelector") or {}
    if any(given.get(key) != value for key, value in selector.items()):
        return False
    return _affine(pod, given) and _tolerates(pod, joining(site, machine))


def node_labels(site: Site, machine: Machine) -> dict[str, str]:
    """Return the labels that a node has by its roles and by Kubernetes itself."""
    own = {"kubernetes.io/hostname": machine.name, "kubernetes.io/os": "linux"}
    plane = {CONTROL_PLANE.key: ""} if machine.node == "control_plane" else {}
    return {**own, **plane, **labels(site, machine)}


def _affine(pod: Mapping[str, Any], given: Mapping[str, str]) -> bool:
    affinity = (pod.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or ()
    return not terms or any(all(_met(rule, given) for rule in term.get("matchExpressions") or ()) for term in terms)


def _met(rule: Mapping[str, Any], given: Mapping[str, str]) -> bool:
    value, values = given.get(rule["key"]), rule.get("values") or ()
    match rule["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    # Numbers are compared nowhere here: better an image too many than one too few.
    return True


def _tolerates(pod: Mapping[str, Any], taints: Iterable[Taint]) -> bool:
    tolerations = pod.get("tolerations") or ()
    hard = [taint for taint in taints if taint.effect != "PreferNoSchedule"]
    return all(any(_tolerated(taint, toleration) for toleration in tolerations) for taint in hard)


def _tolerated(taint: Taint, toleration: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint.effect):
        return False
    key = toleration.get("key")
    if toleration.get("operator") == "Exists":
        return key in (None, "", taint.key)
    return key == taint.key and (toleration.get("value") or "") == taint.value
