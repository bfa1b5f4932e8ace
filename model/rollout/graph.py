"""The order of the application's components: who stands on whom, and what can go side by side."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from model.errors import SiteError
from model.site.components import Component
from model.site.site import Site


def active(site: Site) -> tuple[Component, ...]:
    """Return the components the site has, in an order in which each comes after what it needs."""
    here = [component for component in site.components if component.holds(site.settings.active)]
    return ordered(here)


def needed(component: Component, present: Collection[str]) -> tuple[str, ...]:
    """Return the components that must be ready before this one, among those that are present."""
    return tuple(name for name in component.needs if name in present)


def ordered(components: Iterable[Component]) -> tuple[Component, ...]:
    """
    Return components with each after what it needs, by phase and then as declared. Raises `SiteError` for a circle.
    """
    waiting = sorted(components, key=lambda component: component.phase)
    names = {component.name for component in waiting}
    done: list[Component] = []
    while waiting:
        finished = {component.name for component in done}
        ready = next((one for one in waiting if finished.issuperset(needed(one, names))), None)
        if ready is None:
            circle = ", ".join(component.name for component in waiting)
            raise SiteError(f"components.yaml: these need each other in a circle, or wait for one that does: {circle}")
        waiting.remove(ready)
        done.append(ready)
    return tuple(done)
