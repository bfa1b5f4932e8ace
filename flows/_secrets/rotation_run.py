"""One rotation carried out, step by step, from wherever an earlier run of it was cut short."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from time import monotonic

from pydantic import SecretBytes

from flows._run.context import Context
from flows._run.journal import Journal
from flows._run.publish import CONTROLLER
from flows._secrets.carrier import Carrier
from flows._secrets.status import subject
from model.errors import FleetError, PlanRefused
from model.report.outcome import EXIT_BY_STATUS, GOOD, Outcome, Status
from model.rollout.rendered import SecretRef
from model.rollout.rotation_steps import Act, RotationStep, remaining
from model.rollout.secret_document import KeptSecret, KeptValue, RotationStage, SecretDocument
from model.rollout.secret_kinds import generated
from model.rollout.secret_names import key_spec, secret_spec
from model.rollout.secret_rotation import RotationPlan
from model.rollout.secret_stages import adopted, ended, forgotten, offered, replaced
from remote.gates.refusal import Values
from tasks.secrets.store import SecretStore, open_store


def stage_of(store: SecretStore, plan: RotationPlan) -> RotationStage | None:
    """Return how far the rotation of a plan's values has come; None where it has not begun for one of them."""
    stages = [kept.stage for kept in _kept(store, plan)]
    return None if None in stages else stages[0]


def left(store: SecretStore, plan: RotationPlan) -> tuple[RotationStep, ...]:
    """Return the steps that are left. Raises `PlanRefused` where a former version's rotation went another way."""
    try:
        return remaining(plan.steps, stage_of(store, plan))
    except ValueError as error:
        step = "finish it by the version, or the settings of the site, with which it was begun"
        raise PlanRefused(f"{plan.name}: its rotation cannot go on: {error}", next_step=step) from None


class RotationRun:
    """
    Carries one plan out.

    How far it is stands in the store: a step that changes values is saved together with the stage that it reaches, and
    everything behind it is repeated by the next run.
    """

    def __init__(self, context: Context, journal: Journal, carrier: Carrier, plan: RotationPlan) -> None:
        self._context, self._journal = context, journal
        self._carrier, self.plan = carrier, plan

    def carry_out(self) -> Outcome:
        """Do what is left of it; return what came of it. The first step that fails ends it."""
        started, plan = monotonic(), self.plan
        steps = left(self._store, plan)
        before = len(plan.steps) - len(steps)
        for number, step in enumerate(steps, before + 1):
            about = f"step {number} of {len(plan.steps)}: {step.words}"
            self._context.say(f"{plan.name}: {about}")
            self._journal.write(f"{plan.name}: {step.act} ({number})", "begun")
            if bad := self._tried_to(step):
                return self._stopped(about, bad)
            self._journal.write(f"{plan.name}: {step.act} ({number})", "ended")
        self._save(lambda document: ended(document, plan.refs, self._store.kept_formers(plan.refs[0])))
        return self._rotated(bool(before), monotonic() - started)

    def _tried_to(self, step: RotationStep) -> Outcome | None:
        """Carry one step out; what it raises is what is wrong."""
        try:
            return self._do(step)
        except FleetError as error:
            return Outcome(CONTROLLER, step.act, Status.FAILED, str(error), next=error.next_step)

    def _do(self, step: RotationStep) -> Outcome | None:
        """Carry one step out; return what is wrong, if anything."""
        if step.act is Act.OFFER:
            self._save(lambda document: offered(document, self._made()))
        elif step.act is Act.ADOPT:
            self._save(lambda document: adopted(document, self.plan.refs, _now()))
        elif step.act is Act.FORGET:
            self._save(lambda document: forgotten(document, self.plan.refs, _now()))
        elif step.act is Act.REPLACE:
            self._save(lambda document: replaced(document, self._made(), _now()))
        elif step.act is Act.ROLL_OUT:
            return self._heard(self._carrier.roll_out(step.components))
        elif step.act is Act.STOP:
            return self._heard((self._carrier.stop(step.components, self.plan.refs),))
        elif step.act is Act.TRY:
            return self._heard((self._carrier.tried(self.plan.refs[0].name, *self._both()),))
        elif step.act is Act.VERIFY:
            return self._heard(self._carrier.verify())
        else:
            name = subject(self.plan.name)
            self._context.keep(Outcome(CONTROLLER, name, Status.NOT_RUN, step.words, next=step.words))
        return None

    def _heard(self, outcomes: Sequence[Outcome]) -> Outcome | None:
        """Keep what a person should read in the report; return the first that is bad."""
        self._context.keep(*(outcome for outcome in outcomes if outcome.status is not Status.OK))
        return next((outcome for outcome in outcomes if EXIT_BY_STATUS[outcome.status] != GOOD), None)

    def _made(self) -> dict[SecretRef, KeptValue]:
        """Return the values that come: of this rotation there may be some already."""
        kept = dict(zip(self.plan.refs, _kept(self._store, self.plan), strict=True))
        return {
            ref: found.coming or self._new(ref)
            for ref, found in kept.items()
            if found.stage is not RotationStage.REPLACED
        }

    def _new(self, ref: SecretRef) -> KeptValue:
        value = generated(key_spec(self._context.site, ref.name, ref.key), os.urandom)
        return KeptValue(value=SecretBytes(value), made=_now(), origin="generated")

    def _both(self) -> tuple[Values, Values]:
        kept = dict(zip(self.plan.refs, _kept(self._store, self.plan), strict=True))
        new = {ref.key: found.current.value.get_secret_value() for ref, found in kept.items()}
        former = {ref.key: found.former[0].value.get_secret_value() for ref, found in kept.items()}
        return new, former

    def _save(self, change: Callable[[SecretDocument], SecretDocument]) -> None:
        store = self._store
        store.save(change(store.document(self.plan.realm)))

    def _stopped(self, about: str, bad: Outcome) -> Outcome:
        words = f"stopped at {about}: {bad.subject}: {bad.message}"
        step = f"{bad.next or 'look at what it names'}; then `python -m flows.secrets rotate {self._words}` goes on"
        return Outcome(CONTROLLER, subject(self.plan.name), Status.FAILED, words, next=step)

    def _rotated(self, continued: bool, seconds: float) -> Outcome:
        age = secret_spec(self._store.site, self.plan.refs[0].name).max_age_days
        until = f"; the next time within {age} days" if age else ""
        words = f"rotated in {seconds:.0f} s{', where a run was cut short,' if continued else ''}"
        evidence = {"plan": list(self.plan.lines), "diff": _diff(self.plan.refs)}
        message = f"{words.rstrip(',')}{until}"
        return Outcome(
            CONTROLLER, subject(self.plan.name), Status.CHANGED, message, evidence=evidence, seconds=round(seconds, 3)
        )

    @property
    def _store(self) -> SecretStore:
        """The store as it is now: a rollout may have made what was missing."""
        return open_store(self._context.site)

    @property
    def _words(self) -> str:
        return " ".join(f"{ref.name}/{ref.key}" for ref in self.plan.refs)


def _kept(store: SecretStore, plan: RotationPlan) -> list[KeptSecret]:
    secrets = store.document(plan.realm).secrets
    return [secrets[ref] for ref in plan.refs]


def _diff(refs: Iterable[SecretRef]) -> list[str]:
    return [f"~ {ref.name}/{ref.key}" for ref in refs]


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
