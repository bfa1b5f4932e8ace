"""How every secret of the site stands."""

from __future__ import annotations

from datetime import UTC, datetime

from flows._run.context import Context, FlowResult
from flows._run.publish import CONTROLLER
from model.report.outcome import Outcome, Status, warn
from model.rollout.rendered import SecretRef
from model.rollout.secret_document import RotationStage, ref_text
from model.rollout.secret_names import kept_refs
from model.rollout.secret_plan import Due, SecretState, same_values, state_of
from model.rollout.unfinished import brought_back, finishing, unfinished
from tasks.secrets.store import SecretStore, open_store

_NEXT = {
    Due.NOTHING: "",
    Due.GENERATE: "python -m flows.secrets generate",
    Due.BRING: "python -m flows.secrets import {bring} --stdin",
    Due.FINISH: "{finish}",
    Due.ROTATE: "python -m flows.secrets rotate {name}",
    Due.SEPARATE: "python -m flows.secrets rotate {name}",
}


def subject(name: str) -> str:
    """Return what outcomes call a secret."""
    return f"secret/{name}"


def status(context: Context) -> FlowResult:
    """Judge every secret of the site: there, of its kind, unlike all others, not too old."""
    store = open_store(context.site)
    readable = store.readable()
    alike = same_values(store.document(realm) for realm in readable)
    outcomes: list[Outcome] = []
    for spec in context.site.secrets:
        if spec.realm in readable:
            state = state_of(spec, store.document(spec.realm), alike, datetime.now(UTC))
            outcomes.append(_outcome(state))
        else:
            why = f"is LI's, and this controller is none of its recipients; {spec.title}"
            outcomes.append(Outcome(CONTROLLER, subject(spec.name), Status.NOT_RUN, why))
    return FlowResult((*outcomes, *_strays(store)), hosts=())


def _outcome(state: SecretState) -> Outcome:
    evidence = {
        "made": state.made.isoformat() if state.made else None,
        "rotate_before": state.rotate_before.isoformat() if state.rotate_before else None,
    }
    # One after the other: the next run names the next.
    bring = ref_text(state.bring[0]) if state.bring else ""
    step = _NEXT[state.due].format(name=state.name, bring=bring, finish=finishing(state.rotating))
    if state.complaints:
        text = "; ".join(state.complaints)
        return Outcome(CONTROLLER, subject(state.name), Status.DRIFT, text, next=step, evidence=evidence)
    until = f", to be rotated before {state.rotate_before:%Y-%m-%d}" if state.rotate_before else ""
    text = f"used since {state.made:%Y-%m-%d}{until}" if state.made else "needs no value that is kept"
    return Outcome(CONTROLLER, subject(state.name), Status.OK, text, evidence=evidence)


def _strays(store: SecretStore) -> list[Outcome]:
    declared = {SecretRef(spec.name, key) for spec in store.site.application.secrets for key in spec.keys}
    kept = {ref: secret for realm in store.readable() for ref, secret in store.document(realm).secrets.items()}
    needed = set(kept_refs(store.site))
    begun = {ref: secret.stage for ref, secret in kept.items() if secret.stage and ref not in needed}
    return [
        *(_left_behind(ref, stage, kept[ref].stage_since) for ref, stage in sorted(begun.items())),
        *(
            warn(CONTROLLER, subject(ref_text(ref)), "is in the store, and secrets.yaml does not know it")
            for ref in sorted(set(kept) - declared - set(begun))
        ),
    ]


def _left_behind(ref: SecretRef, stage: RotationStage, since: datetime | None) -> Outcome:
    """Name a rotation that has not ended of a secret that the site needs no longer."""
    text = unfinished(None, ref, stage, since or datetime.now(UTC))
    return Outcome(CONTROLLER, subject(ref_text(ref)), Status.DRIFT, text, next=brought_back(ref))
