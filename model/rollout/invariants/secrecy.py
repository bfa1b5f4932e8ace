"""Rules about secrets: nowhere but in Secrets, and there as markers until they are sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from model.rollout.invariants.stack import RenderedWorkload, Stack, called
from model.rollout.rendered import MARKER, secrets_in

# Where a line of shell writes to: behind a `>`, or as the last word of a copy.
_WRITTEN = re.compile(r">>?\s*(/[^\s;|&)]+)|\b(?:cp|mv|install)\s[^;|&\n]*?\s(/[^\s;|&)]+)(?=\s*(?:[;|&)\n]|$))")


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


def on_disk(stack: Stack) -> Iterator[str]:
    """A script that reads a mounted secret writes to memory alone: a volume on a node's disk would keep it."""
    for workload in stack.workloads:
        volumes = {volume["name"]: volume for volume in workload.pod.get("volumes", ())}
        scripts = [text for volume in volumes.values() for text in _texts(stack, workload, volume)]
        for container in workload.all_containers:
            mounts = {mount["mountPath"]: volumes.get(mount["name"], {}) for mount in container.get("volumeMounts", ())}
            secret = [f"{path}/" for path, volume in mounts.items() if "secret" in volume]
            for text in (*scripts, *container.get("command", ()), *container.get("args", ())):
                if any(path in text for path in secret):
                    for path in sorted({first or last for first, last in _WRITTEN.findall(text)}):
                        if not _in_memory(path, mounts):
                            yield f"{workload.name}: {container['name']} reads secrets and writes to {path}"


def _texts(stack: Stack, workload: RenderedWorkload, volume: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a volume mounts of a ConfigMap."""
    name = volume.get("configMap", {}).get("name")
    manifest = stack.find("ConfigMap", workload.namespace, name) if name else None
    return tuple((manifest or {}).get("data", {}).values())


def _in_memory(path: str, mounts: Mapping[str, Mapping[str, Any]]) -> bool:
    at = max((place for place in mounts if path.startswith(f"{place}/")), key=len, default="")
    return path.startswith("/dev/") or (bool(at) and mounts[at].get("emptyDir", {}).get("medium") == "Memory")


def _shared(stack: Stack, namespace: str, source: dict[str, object]) -> bool:
    """Return whether a Secret is one that holds values of the store."""
    secret = stack.find("Secret", namespace, str(source.get("secretName")))
    return secret is not None and any(MARKER.search(str(text)) for text in (secret.get("stringData") or {}).values())
