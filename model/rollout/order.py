"""Which workloads of a component change before its others, and which must be gone first."""

from __future__ import annotations

from dataclasses import dataclass

from model.rollout.render import component_module


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadOrder:
    """
    Names of a component's StatefulSets.

    `first`: where these run already, they must be ready as they are declared before any other changes. `gone`: every
    pod of these must be gone before another number of them starts.
    """

    first: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


def order_of(component: str) -> WorkloadOrder:
    """Return the order that a component's module asks for; most ask for none."""
    module = component_module(component)
    if module is None or not hasattr(module, "order"):
        return WorkloadOrder()
    found: WorkloadOrder = module.order()
    return found
