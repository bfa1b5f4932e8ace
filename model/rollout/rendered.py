"""A component as it is rendered: its objects and configuration files, with secrets as names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model.kubernetes.manifests import Manifest
from model.rollout.keys import ObjectKey, key_of
from model.site.components import Component

# Name and key of a secret to its value.
SecretValue = Callable[[str, str], bytes]
# What is said of a key to mean the value that is accepted beside the one in use; no declared key has such a character.
ACCEPTED = "+accepted"
MARKER = re.compile(r"@@secret:([a-z0-9-]+)/([A-Za-z0-9._-]+(?:\+accepted)?)@@")


@dataclass(frozen=True, slots=True, order=True)
class SecretRef:
    """One key of a secret."""

    name: str
    key: str

    @property
    def marker(self) -> str:
        """What stands in rendered texts in its place."""
        return f"@@secret:{self.name}/{self.key}@@"

    @property
    def accepted(self) -> SecretRef:
        """The value that is accepted beside the one in use while a rotation is going on."""
        return SecretRef(self.name, f"{self.key}{ACCEPTED}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedComponent:
    """Objects in the order of their files; `files` are configuration files by name, as pods get them mounted."""

    component: Component
    objects: tuple[Manifest, ...]
    files: Mapping[str, str]

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    @property
    def keys(self) -> frozenset[ObjectKey]:
        """The keys of its objects."""
        return frozenset(map(key_of, self.objects))

    @property
    def images(self) -> tuple[str, ...]:
        """References of every image its objects name, each once."""
        return tuple(dict.fromkeys(image for manifest in self.objects for image in images_of(manifest)))

    @property
    def secrets(self) -> frozenset[SecretRef]:
        """Every key of a secret that its objects hold."""
        return frozenset(ref for manifest in self.objects for ref in secrets_in(manifest))


def pod_template(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the pod template of a workload, a Pod itself as one; None for other kinds."""
    kind, spec = manifest.get("kind"), manifest.get("spec") or {}
    if kind == "Pod":
        return manifest
    if kind in ("Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet"):
        template: Mapping[str, Any] = spec["template"]
        return template
    if kind == "CronJob":
        nested: Mapping[str, Any] = spec["jobTemplate"]["spec"]["template"]
        return nested
    return None


def images_of(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield the image references of an object: those of its pods, and of a custom resource's `imageName`."""
    template = pod_template(manifest)
    if template is not None:
        pod = template["spec"]
        for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
            yield str(container["image"])
    elif image := (manifest.get("spec") or {}).get("imageName"):
        yield str(image)


def secrets_in(value: object) -> Iterator[SecretRef]:
    """Yield every marker in a value of plain data."""
    if isinstance(value, str):
        for name, key in MARKER.findall(value):
            yield SecretRef(name, key)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from secrets_in(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from secrets_in(inner)
