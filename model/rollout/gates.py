"""Which gates a site has, and of which component each is."""

from __future__ import annotations

from dataclasses import dataclass

from model.rollout.graph import active
from model.site.site import Site

# Of no component alone: they look at everything that runs.
SITE_GATES = ("pods", "endpoints", "dns")
SITE = "site"


@dataclass(frozen=True, slots=True)
class GatePlace:
    """A gate and the component that it tries."""

    gate: str
    component: str


def places(site: Site) -> tuple[GatePlace, ...]:
    """Return the site's gates in the order of their components, those of the whole site last."""
    words = site.settings.active
    of_components = [
        GatePlace(gate, component.name) for component in active(site) for gate in component.gates_of(words)
    ]
    named = {place.gate for place in of_components}
    return (*of_components, *(GatePlace(gate, SITE) for gate in SITE_GATES if gate not in named))
