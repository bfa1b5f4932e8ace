"""Which components a run is about."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from model.errors import SelectionError, did_you_mean
from model.rollout.graph import active
from model.site.components import Component
from model.site.site import Site


def chosen(site: Site, names: Sequence[str], phase: int | None) -> tuple[Component, ...]:
    """
    Return the site's components that `--component` and `--phase` name, each after what it needs; all where neither is.

    Raises `SelectionError` for a component that is none, or that the site does not have.
    """
    here = active(site)
    known = {component.name: component for component in site.components}
    for name in names:
        if name not in known:
            step = f"the site's components: {', '.join(component.name for component in here)}"
            raise SelectionError(f"--component {name}: no such component{did_you_mean(name, known)}", step)
        if known[name] not in here:
            words = ", ".join(known[name].when)
            raise SelectionError(f"--component {name}: the site does not have it (it needs: {words})")
    found = tuple(
        component
        for component in here
        if (not names or component.name in names) and (phase is None or component.phase == phase)
    )
    if not found:
        step = f"phases that have components: {', '.join(map(str, sorted({component.phase for component in here})))}"
        raise SelectionError(f"--phase {phase}: the site has no component of it{' among those' if names else ''}", step)
    return found


def all_needed(component: Component, components: Collection[Component]) -> frozenset[str]:
    """Return the components that one stands on, directly or by others, among those given."""
    by_name = {other.name: other for other in components}
    found: set[str] = set()
    waiting = [name for name in component.needs if name in by_name]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [need for need in by_name[name].needs if need in by_name]
    return frozenset(found)
