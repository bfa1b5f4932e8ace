"""The site's secrets for a rollout: missing ones made before anything is planned, and all of them kept out of texts."""

from __future__ import annotations

from dataclasses import dataclass

from flows._run.context import Context
from flows._run.publish import CONTROLLER
from model.report.outcome import Outcome, Status
from model.rollout.rendered import SecretRef, SecretValue
from model.rollout.secret_names import kept_refs
from model.rollout.veil import Veil
from tasks.secrets.store import SecretStore


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSecrets:
    """Values by name and key, what hides them in texts, and what came of those that were missing."""

    value: SecretValue
    veil: Veil
    outcomes: tuple[Outcome, ...] = ()


def site_secrets(context: Context, store: SecretStore) -> SiteSecrets:
    """Make what is missing in the site's store; a dry run goes on with stand-ins, and says so."""
    missing = store.missing()
    if context.options.dry_run:
        outcomes = tuple(_would_be_made(name) for name in _names(missing))
        store = store.rehearsal()
    else:
        made = store.generate_missing()
        outcomes = tuple(_made(name) for name in _names(made))
    if outcomes:
        context.say(f"secrets: {len(outcomes)} {'would be' if context.options.dry_run else ''} made".replace("  ", " "))
    return SiteSecrets(value=store.value, veil=Veil(_values(store)), outcomes=outcomes)


def _values(store: SecretStore) -> list[bytes]:
    """Return every value, those too that are coming or that were replaced: the cluster may use them still."""
    secrets = [
        store.document(realm).secrets.get(ref) for realm in store.readable() for ref in kept_refs(store.site, realm)
    ]
    return [value.value.get_secret_value() for kept in secrets if kept for value in kept.values]


def _names(refs: tuple[SecretRef, ...]) -> list[str]:
    return list(dict.fromkeys(ref.name for ref in refs))


def _made(name: str) -> Outcome:
    return Outcome(CONTROLLER, f"secrets/{name}", Status.CHANGED, "was missing, and was made", evidence=[f"+ {name}"])


def _would_be_made(name: str) -> Outcome:
    step = "run without --dry-run"
    return Outcome(
        CONTROLLER, f"secrets/{name}", Status.DRIFT, "is missing, and would be made", next=step, evidence=[f"+ {name}"]
    )
