"""Rotating secrets: the plan first, then its steps, from where a former run was cut short."""

from __future__ import annotations

from collections.abc import Sequence

from flows._run.context import Context, FlowResult
from flows._run.journal import Journal
from flows._run.publish import CONTROLLER
from flows._secrets.carrier import Carrier, ClusterCarrier
from flows._secrets.rotation_run import RotationRun, left, stage_of
from flows._secrets.status import subject
from model.errors import PlanRefused, SiteError
from model.report.outcome import EXIT_BY_STATUS, GOOD, Outcome, Status, warns
from model.rollout.rotation_steps import Act
from model.rollout.secret_names import chosen_refs
from model.rollout.secret_rotation import RotationPlan, rotation_plans
from tasks.secrets.store import SecretStore, open_store

_FLOW = "secrets"
_ROLL_OUT = "python -m flows.rollout"


def rotate(context: Context, words: tuple[str, ...]) -> FlowResult:
    """
    Say how each named secret is rotated, and do so, one after the other.

    Raises `PlanRefused` before anything is touched where one of them needs steps that nobody carries out yet, or where
    the cluster is not as declared to begin with.
    """
    plans = rotation_plans(context.site, chosen_refs(context.site, words))
    for plan in plans:
        for line in plan.lines:
            context.say(line)
    _refuse(context, plans)
    store = open_store(context.site)
    _there(store, plans)
    if context.options.dry_run:
        return FlowResult(tuple(_would_be(store, plan) for plan in plans), hosts=())
    carrier = ClusterCarrier(context)
    journal = Journal(context.options.inventory, _FLOW, dry_run=False)
    begun = [plan for plan in plans if stage_of(store, plan) is not None]
    fresh = [plan for plan in plans if plan not in begun]
    # What was cut short comes first: until it has ended the cluster may not be as declared.
    if _carried_out(context, [RotationRun(context, journal, carrier, plan) for plan in begun]):
        _there_to_be_stopped(context, carrier, fresh)
        _as_declared(context, carrier, fresh)
        _carried_out(context, [RotationRun(context, journal, carrier, plan) for plan in fresh])
    return FlowResult(hosts=())


def _carried_out(context: Context, runs: Sequence[RotationRun]) -> bool:
    """Carry rotations out until one fails: what comes behind it would begin on a cluster that is not well."""
    for number, run in enumerate(runs):
        done = run.carry_out()
        context.keep(done)
        if done.status is Status.FAILED:
            why = f"not begun: the rotation of {run.plan.name} did not end well"
            behind = (subject(other.plan.name) for other in runs[number + 1 :])
            context.keep(*(Outcome(CONTROLLER, name, Status.NOT_RUN, why) for name in behind))
            return False
    return True


def _refuse(context: Context, plans: Sequence[RotationPlan]) -> None:
    closed = [plan for plan in plans if plan.obstacle]
    if not closed:
        return
    for plan in closed:
        evidence = {"plan": list(plan.lines)}
        context.keep(Outcome(CONTROLLER, subject(plan.name), Status.NOT_RUN, plan.headline, evidence=evidence))
    reasons = {plan.obstacle: [each for each in closed if each.obstacle == plan.obstacle] for plan in closed}
    named = (
        f"{why}: {', '.join(f'{plan.name} ({plan.rotation.procedure})' for plan in found)}"
        for why, found in reasons.items()
    )
    persons = [plan for plan in closed if plan.rotation.procedure == "provided"]
    step = "the plan above is what has to happen; a later version carries it out"
    if persons:
        ref = persons[0].refs[0]
        step = f"python -m flows.secrets import {ref.name}/{ref.key} --stdin"
    raise PlanRefused(f"{'; '.join(named)}; nothing was touched", next_step=step)


def _there(store: SecretStore, plans: Sequence[RotationPlan]) -> None:
    for plan in plans:
        for ref in plan.refs:
            if not store.has(ref.name, ref.key):
                raise SiteError(
                    f"the store has no value of the secret {ref.name}/{ref.key} to replace",
                    next_step="python -m flows.secrets generate",
                )


def _there_to_be_stopped(context: Context, carrier: Carrier, plans: Sequence[RotationPlan]) -> None:
    """
    Name what a rotation will not find when it stops all processes that share a secret.

    Raises `PlanRefused` where that is everything of a component: nobody would know whether it runs elsewhere.
    """
    for plan in plans:
        for step in plan.steps:
            if step.act is Act.STOP:
                try:
                    seen = carrier.sharing(step.components, plan.refs)
                except PlanRefused as error:
                    raise PlanRefused(f"{plan.name}: {error}; no rotation was begun", error.next_step) from None
                context.keep(*[seen] if warns(seen.status, seen.evidence) else [])


def _as_declared(context: Context, carrier: Carrier, plans: Sequence[RotationPlan]) -> None:
    """Refuse to begin on a cluster that a rollout would change: a rotation brings its own changes and no others."""
    steps = [step for plan in plans for step in plan.steps if step.act is Act.ROLL_OUT]
    if not steps:
        return
    # A step that names none is about all.
    everything = any(not step.components for step in steps)
    names = () if everything else tuple(dict.fromkeys(name for step in steps for name in step.components))
    context.say("looking whether the cluster is as declared")
    bad = [found for found in carrier.pending(names) if EXIT_BY_STATUS[found.status] != GOOD]
    if bad:
        context.keep(*bad)
        first = f"{bad[0].subject}: {bad[0].message}"
        raise PlanRefused(f"the cluster is not as declared: {first}; no rotation was begun", next_step=_ROLL_OUT)


def _would_be(store: SecretStore, plan: RotationPlan) -> Outcome:
    diff = [f"~ {ref.name}/{ref.key}" for ref in plan.refs]
    evidence = {"plan": list(plan.lines), "diff": diff}
    steps = left(store, plan)
    words = "would be rotated"
    if len(steps) < len(plan.steps):
        words = f"would be rotated on: step {len(plan.steps) - len(steps) + 1} of {len(plan.steps)} is the next"
    return Outcome(CONTROLLER, subject(plan.name), Status.DRIFT, words, next="run without --dry-run", evidence=evidence)
