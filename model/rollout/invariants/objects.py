"""Rules about names, labels, namespaces and what selects what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from model.rollout.invariants.stack import CLUSTER_WIDE, Stack, called
from model.rollout.render import COMPONENT_LABEL
from model.site.components import POD_LABEL

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_LABEL = 63
_JOB = re.compile(r"-[0-9a-f]{10}$")
# Roles of clusters are named by their publishers with colons.
_FREE = frozenset({"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"})


def names(stack: Stack) -> Iterator[str]:
    """Every name is one that the API takes, and short enough for the names and labels made of it."""
    for component, manifest in stack.objects:
        name, kind = manifest["metadata"]["name"], manifest["kind"]
        if kind not in _FREE and not _NAME.fullmatch(name):
            yield f"{called(component, manifest)}: the name is none that the API takes"
    for workload in stack.workloads:
        # A StatefulSet's pods are labelled with its name and a number, a Deployment's with two hashes.
        if len(workload.manifest["metadata"]["name"]) > _LABEL - 11:
            yield f"{workload.name}: the name is too long for its pods' labels"


def owners(stack: Stack) -> Iterator[str]:
    """No object belongs to two components."""
    counted = Counter(
        (manifest["apiVersion"].partition("/")[0], manifest["kind"], manifest["metadata"].get("namespace"),
         manifest["metadata"]["name"])
        for _, manifest in stack.objects
    )  # fmt: skip
    for (_, kind, namespace, name), count in counted.items():
        if count > 1:
            yield f"{kind} {namespace}/{name} is rendered {count} times"


def namespaces(stack: Stack) -> Iterator[str]:
    """What belongs into a namespace says into which, and a component makes it."""
    made = {manifest["metadata"]["name"] for _, manifest in stack.of("Namespace")}
    for component, manifest in stack.objects:
        namespace = manifest["metadata"].get("namespace")
        if (manifest["kind"] in CLUSTER_WIDE) == bool(namespace):
            yield f"{called(component, manifest)}: {'has a' if namespace else 'says no'} namespace"
        elif namespace and made and namespace not in made and not namespace.startswith("kube-"):
            yield f"{called(component, manifest)}: no component makes the namespace {namespace}"


def labels(stack: Stack) -> Iterator[str]:
    """Every object says whose it is, and every pod carries the word by which ports.yaml knows it."""
    for component, manifest in stack.objects:
        said = manifest["metadata"].get("labels") or {}
        if said.get(COMPONENT_LABEL) != component.name:
            yield f"{called(component, manifest)}: lacks the label {COMPONENT_LABEL}: {component.name}"
    for workload in stack.workloads:
        word = workload.labels.get(POD_LABEL)
        if word is None:
            yield f"{workload.name}: its pods lack the label {POD_LABEL}"
        elif word not in workload.component.pods:
            yield f"{workload.name}: components.yaml has no pods called {word} in {workload.component.name}"
        else:
            namespace, selector = workload.component.selector(word)
            if workload.namespace != namespace or not workload.labels.items() >= selector.items():
                yield f"{workload.name}: components.yaml looks for {word} in {namespace} by {selector}"


def words(stack: Stack) -> Iterator[str]:
    """Each word of a component's pods is carried by some pods, its operator's or its own."""
    carried = {(workload.component.name, workload.labels.get(POD_LABEL)) for workload in stack.workloads}
    for part in stack.components:
        for word, selector in part.component.pods.items():
            made = bool(selector.labels) and POD_LABEL not in selector.labels
            if (part.name, word) not in carried and not made:
                yield f"{part.name}: components.yaml names pods {word}, and none carries that label"


def selectors(stack: Stack) -> Iterator[str]:
    """What selects pods selects some: workloads their own, Services and budgets those of a workload."""
    for workload in stack.workloads:
        wanted = (workload.manifest["spec"].get("selector") or {}).get("matchLabels")
        if workload.lasting and not wanted:
            yield f"{workload.name}: selects its pods by nothing"
        elif wanted and not workload.labels.items() >= wanted.items():
            yield f"{workload.name}: selects {wanted}, which its pods do not carry"
    for kind in ("Service", "PodDisruptionBudget"):
        for component, manifest in stack.of(kind):
            selector = manifest["spec"].get("selector") or {}
            wanted = selector.get("matchLabels", {}) if kind == "PodDisruptionBudget" else selector
            if not wanted or not any(stack.selected(manifest["metadata"].get("namespace", ""), wanted)):
                yield f"{called(component, manifest)}: no pods carry {wanted or 'its empty selector'}"


def jobs(stack: Stack) -> Iterator[str]:
    """A job is named after its content: it cannot be changed."""
    for component, manifest in stack.of("Job"):
        if not _JOB.search(manifest["metadata"]["name"]):
            yield f"{called(component, manifest)}: its name has no hash of what it does"
        if "ttlSecondsAfterFinished" in manifest["spec"]:
            yield f"{called(component, manifest)}: would vanish, and be made again by each rollout"
