"""Where images are named: the object, and the container of its pods that runs each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from model.kubernetes.manifests import Manifest
from model.rollout.image_references import UNKNOWN_DIGEST
from model.rollout.keys import ObjectKey, key_of
from model.rollout.rendered import RenderedComponent, pod_template

_DATABASE = ("postgresql.cnpg.io/v1", "Cluster")
_OPERATOR = "cloudnative-pg"
_SOLVER = "--acme-http01-solver-image="


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlace:
    """One container that runs an image, of an object of a component; some are made by the object's operator."""

    component: str
    key: ObjectKey
    container: str
    reference: str

    @property
    def subject(self) -> str:
        """What a report calls the object."""
        return self.key.subject(self.component)

    @property
    def by_tag(self) -> str:
        """Name and tag of the image."""
        return self.reference.partition("@")[0]

    @property
    def undigested(self) -> bool:
        """Whether nothing says the image's digest."""
        return self.reference.partition("@")[2] == UNKNOWN_DIGEST

    def __str__(self) -> str:
        return f"{self.key}, container {self.container}: {self.by_tag}"


def image_places(rendered: Iterable[RenderedComponent]) -> tuple[ImagePlace, ...]:
    """Return every container of every object, in the order of components, objects, containers."""
    everything = tuple(rendered)
    return tuple(
        ImagePlace(component=component.name, key=key_of(manifest), container=container, reference=reference)
        for component in everything
        for manifest in component.objects
        for container, reference in containers_of(manifest, everything)
    )


def containers_of(manifest: Manifest, everything: Sequence[RenderedComponent] = ()) -> Iterator[tuple[str, str]]:
    """
    Yield name and image of each container that an object becomes.

    Pods of databases and of ACME's solver are made by operators: these have the names that their operators give them.
    """
    pod = (pod_template(manifest) or {}).get("spec") or {}
    for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
        yield str(container["name"]), str(container["image"])
        for word in (*(container.get("command") or ()), *(container.get("args") or ())):
            if word.startswith(_SOLVER):
                yield "acmesolver", word.removeprefix(_SOLVER)
    if is_database(manifest):
        yield "postgres", str(manifest["spec"]["imageName"])
        # Each instance is begun by a container of its operator's image.
        operators = [image for part in everything if part.name == _OPERATOR for image in part.images]
        yield from (("bootstrap-controller", image) for image in operators)


def is_database(manifest: Manifest) -> bool:
    """Tell whether an object is a database that CloudNativePG makes pods of."""
    return (manifest["apiVersion"], manifest["kind"]) == _DATABASE
