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
from model.errors import SecretsUnreadable, SelectionError, SiteError, did_you_mean
from model.report.outcome import GOOD, INTERRUPTED, Status
from model.rollout.gates import GatePlace, places
from model.rollout.rendered import SecretValue
from model.rollout.secret_facts import NO_FACTS, SecretFacts
from model.site.site import Site
from remote.gates.gate import GateContext, GateResult
from tasks.secrets.store import SecretStore, open_store


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
    """Try the gates that are asked for; those that need a secret are unproven where the store cannot be read."""
    wanted = chosen(context.site, request.gates)
    facts, secret = _secrets(open_store(context.site))
    material = render(context, (), facts)
    from remote.kube import open_cluster

    with ExitStack() as stack:
        nr = inventory(context.options.inventory)
        stack.enter_context(closing(nr))
        cluster = stack.enter_context(open_cluster(nr, context.site))
        gates = gate_context(context, material, nr, cluster, secret, request.options or {})
        runs = tried(context, wanted, gates)
    return validated(runs)


def tried(context: Context, wanted: Sequence[GatePlace], gates: GateContext) -> tuple[GateRun, ...]:
    """
    Try gates one after another, so that none is judged by what another one does; those after one that somebody
    interrupted are `not_run`.
    """
    runs: list[GateRun] = []
    for number, place in enumerate(wanted, 1):
        if runs and runs[-1].result.interrupted:
            left = GateResult(status=Status.NOT_RUN, why=f"interrupted before it, at {runs[-1].name}")
            return (
                *runs,
                *(GateRun(name=later.gate, component=later.component, result=left) for later in wanted[number - 1 :]),
            )
        runs.append(_tried(context, place, gates, number, len(wanted)))
    return tuple(runs)


def validated(runs: Sequence[GateRun], **extra: object) -> FlowResult:
    """Return what came of gates as the flow's result; `extra` goes into the report."""
    return FlowResult(
        tuple(run.outcome() for run in runs),
        hosts=(),
        forced=INTERRUPTED if any(run.result.interrupted for run in runs) else GOOD,
        extra={"components": [], "gates": [run.to_json() for run in runs], **extra},
    )


def _secrets(store: SecretStore) -> tuple[SecretFacts, SecretValue]:
    """
    Return what is known of the store and what reads it. Where it cannot be read that is known only to who asks for a
    value: most gates ask for none.
    """
    try:
        return store.facts(), store.value
    except SiteError as error:
        why, step = f"the store of secrets cannot be read here: {error}", error.next_step

    def closed(_name: str, _key: str) -> bytes:
        raise SecretsUnreadable(why, step)

    return NO_FACTS, closed


def _tried(context: Context, place: GatePlace, gates: GateContext, number: int, total: int) -> GateRun:
    context.say(f"gate {number} of {total}: {place.gate} of {place.component}")
    run = try_gate(place.gate, place.component, gates)
    context.say(gate_line(run))
    return run
