"""Rules about what objects name: it exists, and what is mounted is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from model.kubernetes.manifests import Manifest
from model.rollout.invariants.stack import Stack, called
from model.rollout.pod_sources import pod_sources
from model.rollout.secret_uses import misuses

# What programs make in the cluster, by the component whose object asks for it.
_MADE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("projectcontour", "contourcert"): ("contour",),
    ("projectcontour", "envoycert"): ("contour",),
}
# What PostgreSQL's operator makes of a cluster.
_OF_A_CLUSTER = ("ca", "server", "replication", "app")
_MAP = {"Secret": ("data", "stringData"), "ConfigMap": ("data", "binaryData")}


def mounts(stack: Stack) -> Iterator[str]:
    """Every mount names a volume, every volume is mounted, and no two mounts of a container share a path."""
    for workload in stack.workloads:
        claimed = workload.manifest["spec"].get("volumeClaimTemplates", ())
        there = [volume["name"] for volume in workload.pod.get("volumes", ())]
        there += [claim["metadata"]["name"] for claim in claimed]
        used = set()
        for container in workload.all_containers:
            paths = [mount["mountPath"] for mount in container.get("volumeMounts", ())]
            for path in sorted({path for path in paths if paths.count(path) > 1}):
                yield f"{workload.name}: {container['name']} mounts two volumes at {path}"
            for mount in container.get("volumeMounts", ()):
                used.add(mount["name"])
                if mount["name"] not in there:
                    yield f"{workload.name}: {container['name']} mounts {mount['name']}, which is no volume of the pod"
        for name in there:
            if name not in used:
                yield f"{workload.name}: no container mounts the volume {name}"


def references(stack: Stack) -> Iterator[str]:
    """What a pod names (Secret, ConfigMap, claim) is there with its keys, and what an Ingress names with its port."""
    for workload in stack.workloads:
        for source in pod_sources(workload.pod):
            kind, name = source.kind, source.name
            if source.optional or made_at_run_time(stack, workload.namespace, kind, name):
                continue
            found = stack.find(kind, workload.namespace, name)
            if found is None:
                yield f"{workload.name}: names the {kind} {name}, which nobody makes"
                continue
            held = {key for part in _MAP.get(kind, ()) for key in found.get(part) or {}}
            for key in source.keys:
                if key not in held:
                    yield f"{workload.name}: names the key {key} of the {kind} {name}, which has it not"
    for component, manifest in stack.of("Ingress"):
        for missing in _named_by(stack, manifest):
            yield f"{called(component, manifest)}: names {missing}"


def _named_by(stack: Stack, ingress: Manifest) -> Iterator[str]:
    """Yield what an Ingress leads to and nobody makes: certificates, and ports of Services by their names."""
    spec, namespace = ingress["spec"], ingress["metadata"].get("namespace", "")
    for name in (part["secretName"] for part in spec.get("tls", ())):
        if stack.find("Secret", namespace, name) is None and not made_at_run_time(stack, namespace, "Secret", name):
            yield f"the Secret {name}, which nobody makes"
    for path in (path for rule in spec["rules"] for path in rule["http"]["paths"]):
        wanted = path["backend"]["service"]
        service = stack.find("Service", namespace, wanted["name"]) or {"spec": {}}
        if wanted["port"]["name"] not in {port.get("name") for port in service["spec"].get("ports", ())}:
            yield f"the port {wanted['port']['name']} of the Service {wanted['name']}, which has none of this name"


def used_secrets(stack: Stack) -> Iterator[str]:
    """Every secret that is rendered is declared in secrets.yaml, for this component and this namespace."""
    for misuse in misuses(stack.site, stack.components):
        yield f"{misuse.ref.name}/{misuse.ref.key}: {misuse.message}"


def accounts(stack: Stack) -> Iterator[str]:
    """A pod that speaks to the API has an account of its own with rights; any other has no token."""
    bound = set(_bound(stack))
    for workload in stack.workloads:
        account = workload.pod.get("serviceAccountName", "default")
        token = workload.pod.get("automountServiceAccountToken")
        if token is None:
            yield f"{workload.name}: does not say whether its pods get a token of the API"
        if account != "default" and stack.find("ServiceAccount", workload.namespace, account) is None:
            yield f"{workload.name}: names the ServiceAccount {account}, which nobody makes"
        if token and (workload.namespace, account) not in bound:
            yield f"{workload.name}: its pods get a token, and no role is bound to {account}"


def issuers(stack: Stack) -> Iterator[str]:
    """Every certificate is signed by an issuer that is there."""
    for component, manifest in stack.of("Certificate"):
        ref = manifest["spec"]["issuerRef"]
        if stack.find(ref.get("kind", "Issuer"), manifest["metadata"]["namespace"], ref["name"]) is None:
            yield f"{called(component, manifest)}: nobody makes the {ref.get('kind', 'Issuer')} {ref['name']}"


def made_at_run_time(stack: Stack, namespace: str, kind: str, name: str) -> bool:
    """Return whether a program of a component makes the object in the cluster: a certificate's Secret, and the like."""
    if kind != "Secret":
        return False
    makers = _MADE.get((namespace, name), ())
    if any(part.name in makers for part in stack.components):
        return True
    for _, cluster in stack.of("Cluster"):
        meta = cluster["metadata"]
        if meta.get("namespace") == namespace and name in {f"{meta['name']}-{word}" for word in _OF_A_CLUSTER}:
            return True
    return any(
        certificate["spec"]["secretName"] == name and certificate["metadata"]["namespace"] == namespace
        for _, certificate in stack.of("Certificate")
    )


def _bound(stack: Stack) -> Iterator[tuple[str, str]]:
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        for _, manifest in stack.of(kind):
            for subject in manifest.get("subjects", ()):
                if subject["kind"] == "ServiceAccount":
                    yield subject.get("namespace") or manifest["metadata"].get("namespace", ""), subject["name"]
