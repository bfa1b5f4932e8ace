"""Rules of what the site builds on: programs that their publishers no longer mend."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.lint.flaw import LintView, flaw

_RETIRED = "ingress-nginx"
# What its own manifests call its class.
_CLASS = "nginx"


def unmaintained_storage(view: LintView) -> Iterator[Finding]:
    """Find MinIO as the object storage: its community edition and its operator are archived by their publisher."""
    if view.site.settings.object_storage.provider == "minio":
        message = (
            "its publisher archived the community edition and its operator in 2026, and publishes no images any more: "
            "nobody mends what is found in it"
        )
        fix = "seaweedfs, or external with an endpoint of your own; objects that are there already must be copied"
        yield flaw("site.yaml", "object_storage.provider", value="minio", message=message, fix=fix)


def retired_ingress(view: LintView) -> Iterator[Finding]:
    """Find ingress-nginx, retired in March 2026, by the class that is usually its own and by components and images."""
    ingress, message = view.site.settings.ingress, f"{_RETIRED} was retired in March 2026: nobody mends it any more"
    if ingress.controller == "organisation" and _CLASS in ingress.class_name.split("-"):
        words = f"the class that {_RETIRED} usually has; {message}"
        fix = "the class of a controller that is maintained; where it has this very class, a waiver that says so"
        yield flaw("site.yaml", "ingress.class_name", value=ingress.class_name, message=words, fix=fix)
    for component in view.site.components:
        if component.name == _RETIRED:
            place = f"components.{component.name}"
            yield flaw("components.yaml", place, value=component.name, message=message, fix="another controller")
    for name, image in view.site.images.items():
        if _RETIRED in image.name.split("/"):
            place = f"images.{name}.name"
            yield flaw("images.yaml", place, value=image.name, message=message, fix="another controller's image")


CHECKS = (
    Check(
        id="storage-unmaintained",
        why="Media lie for years: a storage without a publisher gets no fixes.",
        severity=Severity.WARNING,
        judge=unmaintained_storage,
    ),
    Check(
        id="ingress-retired",
        why="What faces the world must be mended when a hole in it is found.",
        severity=Severity.WARNING,
        judge=retired_ingress,
    ),
)
