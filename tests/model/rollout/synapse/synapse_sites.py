"""Sites of every size, rendered: what the tests of Synapse and HAProxy look at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from model.rollout.render import render_component
from model.rollout.rendered import RenderedComponent
from model.rollout.synapse.processes import Processes, processes
from model.rollout.synapse.routes import RouteTable, dumped
from model.site.site import Site
from model.site.sizing import STEPS
from tests.mutation import loaded

SIZES: tuple[str | int, ...] = ("small", *STEPS)
VERSION = "1.163.2"


def site(size: str | int = "small", *, federation: bool = False, controller: str = "contour", **features: bool) -> Site:
    """Return the inventory's site, of another size and with features switched."""
    known = loaded()
    changed: dict[str, Any] = {
        "size": "small" if size == "small" else "auto",
        "concurrent_users": 100 if size == "small" else size,
        "federation": federation,
        "features": known.settings.features.model_copy(update=features),
        "ingress": known.settings.ingress.model_copy(update={"controller": controller}),
    }
    images = {name: image.model_copy(update={"digest": f"sha256:{'a' * 64}"}) for name, image in known.images.items()}
    return replace(
        known, settings=known.settings.model_copy(update=changed), application=replace(known.application, images=images)
    )


def rendered(of: Site, name: str) -> RenderedComponent:
    """Return a component of a site, rendered."""
    return render_component(of, next(component for component in of.components if component.name == name))


def running(of: Site) -> Processes:
    """Return the site's processes."""
    return processes(of.settings, "matrix")


def table() -> RouteTable:
    """Return the routes of the version that images.yaml names."""
    return dumped(VERSION)
