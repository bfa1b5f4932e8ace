"""All rules by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from model.rollout.invariants import objects, pods, ports, references, relations, secrecy, stopping
from model.rollout.invariants.stack import Stack

Rule = Callable[[Stack], Iterator[str]]

RULES: Mapping[str, Rule] = {
    rule.__name__.replace("_", "-"): rule
    for rule in (
        objects.names, objects.owners, objects.namespaces, objects.labels, objects.words, objects.selectors,
        objects.jobs, ports.port_names, ports.targets, ports.probes_meet_ports, ports.matrix, references.mounts,
        references.references, references.used_secrets, references.accounts, references.issuers, pods.rights,
        pods.bounds, pods.probes, pods.images, pods.budgets, pods.spread, secrecy.markers, secrecy.environment,
        secrecy.modes, secrecy.clear, secrecy.on_disk, relations.set_services, relations.scalers, relations.bindings,
        relations.databases, relations.policies, relations.claims, stopping.time_to_stop, stopping.draining,
    )
}  # fmt: skip
