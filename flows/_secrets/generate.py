"""Making the secrets that are missing."""

from __future__ import annotations

from flows._run.context import Context, FlowResult
from flows._run.publish import CONTROLLER
from flows._secrets.status import subject
from model.report.outcome import Outcome, Status
from model.rollout.rendered import SecretRef
from model.rollout.secret_names import key_spec
from model.site.secrets import REALMS
from model.site.site import Site
from tasks.secrets.store import open_store


def generate(context: Context) -> FlowResult:
    """Make what is missing and can be made; in a dry run only say what."""
    store, dry_run = open_store(context.site), context.options.dry_run
    missing = store.missing()
    if not dry_run:
        store.generate_missing()
    closed = [realm for realm in REALMS if realm not in store.readable()]
    outcomes = [
        *(_made(name, keys, dry_run) for name, keys in _by_name(missing, context.site, generated=True)),
        *(_brought(name, keys) for name, keys in _by_name(missing, context.site, generated=False)),
        *(
            Outcome(CONTROLLER, f"secrets/{realm}", Status.NOT_RUN, "this controller is none of its recipients")
            for realm in closed
        ),
    ]
    nothing = Outcome(CONTROLLER, "secrets", Status.OK, "nothing is missing")
    return FlowResult(tuple(outcomes) or (nothing,), hosts=())


def _by_name(missing: tuple[SecretRef, ...], site: Site, *, generated: bool) -> list[tuple[str, list[str]]]:
    """Return the missing keys of each secret that are made by a program, or those that are not."""
    chosen = [ref for ref in missing if key_spec(site, ref.name, ref.key).is_generated is generated]
    names = dict.fromkeys(ref.name for ref in chosen)
    return [(name, [ref.key for ref in chosen if ref.name == name]) for name in names]


def _made(name: str, keys: list[str], dry_run: bool) -> Outcome:
    lines = [f"+ {name}/{key}" for key in keys]
    words = ", ".join(keys)
    if dry_run:
        step = "run again without --dry-run"
        return Outcome(CONTROLLER, subject(name), Status.DRIFT, f"would be made: {words}", next=step, evidence=lines)
    return Outcome(CONTROLLER, subject(name), Status.CHANGED, f"made: {words}", evidence=lines)


def _brought(name: str, keys: list[str]) -> Outcome:
    step = f"python -m flows.secrets import {name}/{keys[0]} --stdin"
    return Outcome(CONTROLLER, subject(name), Status.DRIFT, f"must be brought: {', '.join(keys)}", next=step)
