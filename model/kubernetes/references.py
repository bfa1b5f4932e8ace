"""An image's full name: registry, repository, tag."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from model.errors import BundleError
from model.kubernetes.manifests import Manifest


def split(reference: str) -> tuple[str, str]:
    """
    Return the name with its registry, and the tag, as containerd completes what is left out.

    Raises BundleError for an image without a tag: it would be another one every day.
    """
    name, _, digest = reference.partition("@")
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    repository, colon, tag = name.rpartition(":")
    if digest or not colon or "/" in tag:
        raise BundleError(f"the image {reference} is not named by a tag alone", "name it as registry/name:tag")
    return repository, tag


def named(objects: Iterable[Manifest | None]) -> tuple[str, ...]:
    """Return every image that containers of the objects run, each once, as it is written there."""
    images = [image for item in objects if item for image in _images(item)]
    return tuple(dict.fromkeys(images))


def _images(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("containers", "initContainers") and isinstance(item, list):
                yield from (
                    container["image"]
                    for container in item
                    if isinstance(container, dict) and isinstance(container.get("image"), str)
                )
            yield from _images(item)
    elif isinstance(value, list):
        for item in value:
            yield from _images(item)
