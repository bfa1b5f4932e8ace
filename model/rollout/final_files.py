"""Configuration as programs end up with it, where that is more than a file they are given."""

from __future__ import annotations

from collections.abc import Mapping

from model.rollout.render import component_module
from model.rollout.rendered import RenderedComponent
from model.site.site import Site


def final_files(site: Site, rendered: RenderedComponent) -> Mapping[str, str]:
    """Return them by their paths, secrets as names; most components have none besides their `files`."""
    module = component_module(rendered.name)
    if module is None or not hasattr(module, "final_files"):
        return {}
    found: Mapping[str, str] = module.final_files(site, rendered)
    return found
