"""What a pod names of its namespace: the ConfigMaps and Secrets that it reads, and the claims that it mounts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_OF_ENVIRONMENT = (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret"))
_WHOLE_ENVIRONMENT = (("configMapRef", "ConfigMap"), ("secretRef", "Secret"))
# A volume of its own calls a Secret otherwise than one that is projected with others.
_OF_VOLUMES = (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSource:
    """One object that a pod names, and the keys that it needs of it; `optional`: the pod starts without it too."""

    kind: str
    name: str
    keys: tuple[str, ...] = ()
    optional: bool = False


def pod_sources(pod: Mapping[str, Any]) -> Iterator[PodSource]:
    """Yield what the specification of a pod names, as often as it does."""
    for volume in pod.get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            yield from _of_volume(source)
        if claim := volume.get("persistentVolumeClaim"):
            yield PodSource(kind="PersistentVolumeClaim", name=claim["claimName"])
    for container in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ())):
        for variable in container.get("env") or ():
            yield from _of_environment(variable.get("valueFrom") or {}, _OF_ENVIRONMENT)
        for source in container.get("envFrom") or ():
            yield from _of_environment(source, _WHOLE_ENVIRONMENT)


def _of_volume(source: Mapping[str, Any]) -> Iterator[PodSource]:
    for word, kind, field in _OF_VOLUMES:
        if part := source.get(word):
            keys = tuple(item["key"] for item in part.get("items") or ())
            yield PodSource(kind=kind, name=part.get(field) or part["name"], keys=keys, optional=_optional(part))


def _of_environment(source: Mapping[str, Any], words: tuple[tuple[str, str], ...]) -> Iterator[PodSource]:
    for word, kind in words:
        if part := source.get(word):
            keys = (part["key"],) if "key" in part else ()
            yield PodSource(kind=kind, name=part["name"], keys=keys, optional=_optional(part))


def _optional(part: Mapping[str, Any]) -> bool:
    return part.get("optional") is True
