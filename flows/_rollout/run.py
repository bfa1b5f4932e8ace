"""What the components of one rollout share."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from flows._rollout.gates import gate_context
from flows._rollout.material import Material
from flows._rollout.progress import RolloutProgress
from flows._rollout.results import ComponentResult
from flows._run.context import Context
from model.errors import PlanRefused
from model.rollout.graph import active, ordered
from model.rollout.inventory import ComponentInventory
from model.rollout.rendered import SecretValue
from model.rollout.veil import Veil
from model.site.components import Component
from remote.gates.gate import GateContext
from tasks.rollout.declaring import Declaring
from tasks.rollout.lease import ClusterLease
from tasks.rollout.live import LiveObjects
from tasks.rollout.planning import PlanRules

if TYPE_CHECKING:
    from nornir.core import Nornir

    from remote.kube import Cluster

_DEPARTED = "A component that the site has no longer"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRequest:
    """What a person asked for."""

    components: tuple[str, ...] = ()
    phase: int | None = None
    prune: bool = False
    recreate: frozenset[str] = frozenset()
    adopt: bool = False
    gates: bool = False


@dataclass(kw_only=True)
class RolloutRun:
    """One run; `results` are of the chosen components, in order. `lease` is None in a dry run."""

    context: Context
    request: RolloutRequest
    chosen: Sequence[Component]
    material: Material
    nr: Nornir
    cluster: Cluster
    secret: SecretValue
    declaring: Declaring
    inventories: Mapping[str, ComponentInventory]
    live: LiveObjects
    progress: RolloutProgress
    veil: Veil
    lease: ClusterLease | None = None
    results: dict[str, ComponentResult] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def dry_run(self) -> bool:
        """True where nothing may be changed."""
        return self.context.options.dry_run

    def checked(self) -> None:
        """Raise where nothing more may be written: the lease is lost, or the run is being ended."""
        if self.lease is not None:
            self.lease.check()
        if self.stop.is_set():
            raise PlanRefused("the run is being ended", next_step="run again: what was done is kept")

    def kept(self, name: str) -> ComponentInventory:
        """Return what earlier rollouts kept of a component; empty where there was none."""
        kept = self.inventories.get(name) or ComponentInventory(component=name)
        return replace(kept, site=self.context.site.name)

    def writes(self, names: Iterable[str]) -> bool:
        """Tell whether this run has changed anything of these components, or is about to."""
        return any(self.results[name].writes for name in names if name in self.results)

    @property
    def everything(self) -> bool:
        """True where nobody asked for some components alone."""
        return not self.request.components and self.request.phase is None

    @property
    def departed(self) -> tuple[Component, ...]:
        """Return components that the site rolled out once and has no longer, the last one first."""
        here = {component.name for component in active(self.context.site)}
        gone = [kept for name, kept in self.inventories.items() if name not in here]
        ours = sorted(kept.component for kept in gone if kept.site == self.context.site.name) if self.everything else []
        known = {component.name: component for component in self.context.site.components}
        found = [known.get(name) or Component(name=name, phase=5, title=_DEPARTED) for name in ours]
        return tuple(reversed(ordered(component.model_copy(update={"gates": ()}) for component in found)))

    def rules(self) -> PlanRules:
        """Return what the plan may do."""
        names = {component.name for component in self.chosen}
        kinds = {
            (manifest["spec"]["group"], manifest["spec"]["names"]["kind"]): (name, name in names)
            for name, rendered in self.material.rendered.items()
            for manifest in rendered.objects
            if manifest["kind"] == "CustomResourceDefinition"
        }
        return PlanRules(adopt=self.request.adopt, recreate=self.request.recreate, kinds=kinds)

    def gate_context(self) -> GateContext:
        """Return what gates work with."""
        return gate_context(self.context, self.material, self.nr, self.cluster, self.secret)
