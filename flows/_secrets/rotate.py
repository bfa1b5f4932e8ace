"""Rotating secrets: the plan first, then what this program can carry out, from where a former run was cut short."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from flows._run.context import Context, FlowResult
from flows._run.journal import Journal
from flows._run.publish import CONTROLLER
from flows._secrets.status import subject
from model.errors import PlanRefused, SiteError
from model.report.outcome import Outcome, Status
from model.rollout.rendered import SecretRef
from model.rollout.secret_kinds import generated
from model.rollout.secret_names import chosen_refs, key_spec, secret_spec
from model.rollout.secret_rotation import VERIFY, RotationPlan, rotation_plan
from tasks.secrets.store import SecretStore, open_store

_FLOW = "secrets"


def rotate(context: Context, words: tuple[str, ...]) -> FlowResult:
    """
    Say how each named secret is rotated, and replace those whose users only have to restart.

    Raises `PlanRefused` before anything is touched where one of them needs steps that nobody carries out yet.
    """
    plans = [rotation_plan(context.site, ref) for ref in chosen_refs(context.site, words)]
    for plan in plans:
        for line in plan.lines:
            context.say(line)
    _refuse(context, plans)
    store = open_store(context.site)
    _there(store, plans)
    if context.options.dry_run:
        return FlowResult(tuple(_would_be(plan) for plan in plans), hosts=())
    journal = Journal(context.options.inventory, _FLOW, dry_run=False)
    for plan in plans:
        context.keep(_rotated(store, journal, plan))
    return FlowResult(hosts=())


def _refuse(context: Context, plans: list[RotationPlan]) -> None:
    open_plans = [plan for plan in plans if not plan.is_carried_out]
    if not open_plans:
        return
    for plan in open_plans:
        evidence = {"plan": list(plan.lines)}
        name = f"{plan.ref.name}/{plan.ref.key}"
        context.keep(Outcome(CONTROLLER, subject(name), Status.NOT_RUN, plan.headline, evidence=evidence))
    names = ", ".join(f"{plan.ref.name}/{plan.ref.key} ({plan.rotation.procedure})" for plan in open_plans)
    persons = [plan for plan in open_plans if plan.rotation.procedure == "provided"]
    step = "the plan above is what has to happen; a later version carries it out"
    if persons:
        step = f"python -m flows.secrets import {persons[0].ref.name}/{persons[0].ref.key} --stdin"
    message = f"rotation is planned and not yet carried out by this program for {names}; nothing was touched"
    raise PlanRefused(message, next_step=step)


def _there(store: SecretStore, plans: list[RotationPlan]) -> None:
    for plan in plans:
        if not store.has(plan.ref.name, plan.ref.key):
            raise SiteError(
                f"the store has no value of the secret {plan.ref.name}/{plan.ref.key} to replace",
                next_step="python -m flows.secrets generate",
            )


def _would_be(plan: RotationPlan) -> Outcome:
    name = f"{plan.ref.name}/{plan.ref.key}"
    evidence = {"plan": list(plan.lines), "diff": [f"~ {name}"]}
    step = "run without --dry-run"
    return Outcome(CONTROLLER, subject(name), Status.DRIFT, "would be rotated", next=step, evidence=evidence)


def _rotated(store: SecretStore, journal: Journal, plan: RotationPlan) -> Outcome:
    """Replace a value, unless the run that was cut short has done so."""
    name = f"{plan.ref.name}/{plan.ref.key}"
    begun = _begun(journal, name)
    done_before = begun is not None and _made(store, plan.ref) >= begun
    if not done_before:
        journal.write(name, "begun")
        spec = key_spec(store.site, plan.ref.name, plan.ref.key)
        store.keep(secret_spec(store.site, plan.ref.name).realm, {plan.ref: generated(spec, os.urandom)}, "generated")
    journal.write(name, "ended")
    spec_age = secret_spec(store.site, plan.ref.name).max_age_days
    until = f"; the next time within {spec_age} days" if spec_age else ""
    words = "was replaced by the run that was cut short" if done_before else "replaced"
    step = f"python -m flows.rollout{_components(plan)}, then {VERIFY}"
    evidence = {"plan": list(plan.lines), "diff": [f"~ {name}"]}
    return Outcome(CONTROLLER, subject(name), Status.CHANGED, f"{words}{until}", next=step, evidence=evidence)


def _components(plan: RotationPlan) -> str:
    return f" --component {','.join(plan.consumers)}" if plan.consumers else ""


def _made(store: SecretStore, ref: SecretRef) -> datetime:
    realm = secret_spec(store.site, ref.name).realm
    return store.document(realm).secrets[ref].current.made


def _begun(journal: Journal, name: str) -> datetime | None:
    """Return when the rotation of a value began that never ended; None where the last one ended."""
    entries = [entry for entry in journal.entries() if (entry.flow, entry.phase) == (_FLOW, name)]
    if not entries or entries[-1].event != "begun":
        return None
    return datetime.fromisoformat(entries[-1].time).astimezone(UTC).replace(microsecond=0)
