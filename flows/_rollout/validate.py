"""Every gate again, any time, changing nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from flows._fleet.hosts import closing
from flows._fleet.inventory import inventory
from flows._rollout.gates import gate_context, gate_line, try_gate
from flows._rollout.material import render
from flows._rollout.results import GateRun
from flows._run.context import Context, FlowResult
from model.errors import SelectionError, did_you_mean
from model.rollout.gates import GatePlace, places
from model.site.site import Site
from remote.gates.gate import GateContext
from tasks.secrets.store import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateRequest:
    """Which gates are asked for, all where none is named; `options` are for gates that run as a series."""

    gates: tuple[str, ...] = ()
    options: Mapping[str, float] | None = None


def chosen(site: Site, names: Sequence[str]) -> tuple[GatePlace, ...]:
    """Return the site's gates that are asked for. Raises `SelectionError` for one that is none."""
    here = places(site)
    known = [place.gate for place in here]
    for name in names:
        if name not in known:
            step = f"the site's gates: {', '.join(dict.fromkeys(known))}"
            raise SelectionError(f"--gate {name}: the site has no such gate{did_you_mean(name, known)}", step)
    return tuple(place for place in here if not names or place.gate in names)


def validate(context: Context, request: ValidateRequest) -> FlowResult:
    """Try gates one after another, so that none is judged by what another one does."""
    wanted = chosen(context.site, request.gates)
    material = render(context, ())
    store = open_store(context.site)
    from remote.kube import open_cluster

    with ExitStack() as stack:
        nr = inventory(context.options.inventory)
        stack.enter_context(closing(nr))
        cluster = stack.enter_context(open_cluster(nr, context.site))
        gates = gate_context(context, material, nr, cluster, store.value, request.options or {})
        runs = [_tried(context, place, gates, number, len(wanted)) for number, place in enumerate(wanted, 1)]
    return FlowResult(
        tuple(run.outcome() for run in runs),
        hosts=(),
        extra={"components": [], "gates": [run.to_json() for run in runs]},
    )


def _tried(context: Context, place: GatePlace, gates: GateContext, number: int, total: int) -> GateRun:
    context.say(f"gate {number} of {total}: {place.gate} of {place.component}")
    run = try_gate(place.gate, place.component, gates)
    context.say(gate_line(run))
    return run
