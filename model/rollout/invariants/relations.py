"""Rules about what objects of the API stand on: Services, workloads, roles, databases' secrets, pods, storage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model.kubernetes.manifests import Manifest
from model.kubernetes.storage import manifests as storage_manifests
from model.rollout.invariants.references import made_at_run_time
from model.rollout.invariants.stack import CLUSTER_WIDE, Stack, called
from model.site.components import POD_LABEL

# What every cluster has of itself, besides the roles whose names begin with `system:`.
_OF_THE_CLUSTER = frozenset(
    {
        ("ClusterRole", "", "cluster-admin"),
        ("ClusterRole", "", "admin"),
        ("ClusterRole", "", "edit"),
        ("ClusterRole", "", "view"),
        ("Role", "kube-system", "extension-apiserver-authentication-reader"),
    }
)
# Where a Cluster of PostgreSQL's operator names Secrets by their names alone.
_CERTIFICATES = ("serverTLSSecret", "serverCASecret", "clientCASecret", "replicationTLSSecret")


def set_services(stack: Stack) -> Iterator[str]:
    """A StatefulSet's pods have names: it names a headless Service of its namespace that selects them."""
    for workload in stack.workloads:
        if workload.manifest["kind"] != "StatefulSet":
            continue
        name = workload.manifest["spec"].get("serviceName", "")
        service = stack.find("Service", workload.namespace, name)
        if service is None:
            yield f"{workload.name}: names the Service {name or '(none)'}, which nobody makes"
        elif service["spec"].get("clusterIP") != "None":
            yield f"{workload.name}: its Service {name} has an address of its own: pods get no names by it"
        elif not workload.labels.items() >= (service["spec"].get("selector") or {"": ""}).items():
            yield f"{workload.name}: its Service {name} does not select its pods"


def scalers(stack: Stack) -> Iterator[str]:
    """What an autoscaler scales is there, and alone scales it."""
    seen = set()
    for component, manifest in stack.of("HorizontalPodAutoscaler"):
        target, namespace = manifest["spec"]["scaleTargetRef"], manifest["metadata"].get("namespace", "")
        place = f"{target['kind']} {target['name']}"
        found = stack.find(target["kind"], namespace, target["name"])
        if found is None or found["apiVersion"] != target.get("apiVersion"):
            yield f"{called(component, manifest)}: scales {place}, which nobody makes"
        if (namespace, place) in seen:
            yield f"{called(component, manifest)}: is the second that scales {place}"
        seen.add((namespace, place))


def bindings(stack: Stack) -> Iterator[str]:
    """A binding gives a role that there is to accounts that there are."""
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        for component, manifest in stack.of(kind):
            namespace, role = manifest["metadata"].get("namespace", ""), manifest["roleRef"]
            if not _role(stack, namespace, role["kind"], role["name"]):
                yield f"{called(component, manifest)}: gives the {role['kind']} {role['name']}, which nobody makes"
            for subject in manifest.get("subjects") or ({"kind": "nobody"},):
                if subject["kind"] == "nobody":
                    yield f"{called(component, manifest)}: gives a role to nobody"
                elif subject["kind"] == "ServiceAccount":
                    where, name = subject.get("namespace") or namespace, subject["name"]
                    if stack.find("ServiceAccount", where, name) is None:
                        yield f"{called(component, manifest)}: the ServiceAccount {where}/{name} is nobody's"


def _role(stack: Stack, namespace: str, kind: str, name: str) -> bool:
    where = "" if kind in CLUSTER_WIDE else namespace
    own = (kind, where, name) in _OF_THE_CLUSTER or (kind == "ClusterRole" and name.startswith("system:"))
    return own or stack.find(kind, where, name) is not None


def databases(stack: Stack) -> Iterator[str]:
    """What objects of PostgreSQL's operator name is there: Secrets with a login's keys, and the Cluster."""
    for kind in ("Cluster", "DatabaseRole", "Database"):
        for component, manifest in stack.of(kind):
            namespace, spec = manifest["metadata"].get("namespace", ""), manifest["spec"]
            for name, keys in _secrets(spec):
                found = stack.find("Secret", namespace, name)
                held = {key for part in ("data", "stringData") for key in (found or {}).get(part) or {}}
                if found is None and not made_at_run_time(stack, namespace, "Secret", name):
                    yield f"{called(component, manifest)}: names the Secret {name}, which nobody makes"
                elif found is not None and not held.issuperset(keys):
                    yield f"{called(component, manifest)}: the Secret {name} lacks {', '.join(sorted(keys - held))}"
            cluster = spec.get("cluster", {}).get("name")
            if kind != "Cluster" and stack.find("Cluster", namespace, cluster or "") is None:
                yield f"{called(component, manifest)}: belongs to the Cluster {cluster}, which nobody makes"


def _secrets(spec: Mapping[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the Secrets that a Cluster or a role of a database names, each with the keys it must have."""
    login = frozenset({"username", "password"})
    bootstraps = [part for part in spec.get("bootstrap", {}).values() if isinstance(part, Mapping)]
    roles = spec.get("managed", {}).get("roles", ())
    named = [part.get("secret") for part in bootstraps] + [part.get("passwordSecret") for part in (spec, *roles)]
    for ref in (*named, spec.get("superuserSecret")):
        if ref:
            yield ref["name"], login
    certificates = spec.get("certificates", {})
    for word in _CERTIFICATES:
        if name := certificates.get(word):
            yield name, frozenset()


def policies(stack: Stack) -> Iterator[str]:
    """A NetworkPolicy is one for pods that there are: those of a workload, or those that an operator makes."""
    for component, manifest in stack.of("NetworkPolicy"):
        namespace, selector = manifest["metadata"].get("namespace", ""), manifest["spec"].get("podSelector") or {}
        wanted = selector.get("matchLabels") or {}
        if wanted and not any(stack.selected(namespace, wanted)) and not _operators(stack, namespace, wanted):
            yield f"{called(component, manifest)}: no pods carry {wanted}"


def _operators(stack: Stack, namespace: str, wanted: Mapping[str, str]) -> bool:
    """Return whether a component says that it makes such pods, by labels that are none of ours."""
    made = [part.component.selector(word) for part in stack.components for word in part.component.pods]
    return POD_LABEL not in wanted and (namespace, dict(wanted)) in made


def claims(stack: Stack) -> Iterator[str]:
    """A claim of storage names the site's class; one that chooses volumes finds as many as there are pods."""
    known = stack.site.settings.kubernetes.storage_class
    volumes = [manifest for manifest in storage_manifests(stack.site) if manifest["kind"] == "PersistentVolume"]
    wanted: dict[str, int] = {}
    for place, pods, name, claim in _claims(stack):
        if name != known:
            yield f"{place}: asks for the storage class {name}, and the site's is {known}"
        labels = (claim.get("selector") or {}).get("matchLabels")
        if labels:
            key = ", ".join(f"{word}={value}" for word, value in sorted(labels.items()))
            wanted[key] = wanted.get(key, 0) + pods
            found = sum(volume["metadata"]["labels"].items() >= labels.items() for volume in volumes)
            if found < wanted[key]:
                yield f"{place}: {wanted[key]} volumes with {key} are asked for, and the site declares {found}"


def _claims(stack: Stack) -> Iterator[tuple[str, int, str | None, Mapping[str, Any]]]:
    """Yield whose each claim is, how many pods have one, the class it names and what else it says."""
    for workload in stack.workloads:
        for claim in workload.manifest["spec"].get("volumeClaimTemplates", ()):
            yield workload.name, workload.replicas, claim["spec"].get("storageClassName"), claim["spec"]
    for component, manifest in stack.of("Cluster"):
        yield from ((called(component, manifest), *found) for found in _of_a_cluster(manifest))
    for component, manifest in stack.of("PersistentVolumeClaim"):
        spec = manifest["spec"]
        yield called(component, manifest), 1, spec.get("storageClassName"), spec


def _of_a_cluster(manifest: Manifest) -> Iterator[tuple[int, str | None, Mapping[str, Any]]]:
    spec = manifest["spec"]
    for word in ("storage", "walStorage"):
        if part := spec.get(word):
            yield spec.get("instances", 1), part.get("storageClass"), part.get("pvcTemplate", {})
