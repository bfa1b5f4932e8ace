"""Rules about secrets: nowhere but in Secrets, and there as markers until they are sent."""

from __future__ import annotations

from collections.abc import Iterator

from model.rollout.invariants.stack import Stack, called
from model.rollout.rendered import MARKER, secrets_in


def markers(stack: Stack) -> Iterator[str]:
    """No value of a secret is rendered into anything but a Secret, and there only into `stringData`."""
    for component, manifest in stack.objects:
        outside = manifest if manifest["kind"] != "Secret" else {**manifest, "stringData": None}
        for ref in secrets_in(outside):
            yield f"{called(component, manifest)}: holds {ref.name}/{ref.key} where everybody can read it"


def environment(stack: Stack) -> Iterator[str]:
    """No program is given a secret in its environment: it would be read there by whoever lists processes."""
    for workload in stack.workloads:
        for container in workload.all_containers:
            name = f"{workload.name}: {container['name']}"
            for variable in container.get("env", ()):
                if (variable.get("valueFrom") or {}).get("secretKeyRef"):
                    yield f"{name} gets {variable['name']} out of a Secret"
            if any(source.get("secretRef") for source in container.get("envFrom", ())):
                yield f"{name} gets a whole Secret as its environment"


def modes(stack: Stack) -> Iterator[str]:
    """Mounted secrets are for their program alone."""
    for workload in stack.workloads:
        for volume in workload.pod.get("volumes", ()):
            source = volume.get("secret")
            if source and _shared(stack, workload.namespace, source) and source.get("defaultMode", 0o644) & 0o007:
                yield f"{workload.name}: the volume {volume['name']} can be read by every user of the pod"


def clear(stack: Stack) -> Iterator[str]:
    """A rendered Secret holds no `data`: what is in it comes from the store."""
    for component, manifest in stack.of("Secret"):
        if manifest.get("data"):
            yield f"{called(component, manifest)}: holds data that did not come from the store"


def _shared(stack: Stack, namespace: str, source: dict[str, object]) -> bool:
    """Return whether a Secret is one that holds values of the store."""
    secret = stack.find("Secret", namespace, str(source.get("secretName")))
    return secret is not None and any(MARKER.search(str(text)) for text in (secret.get("stringData") or {}).values())
