"""Taking values over: from the cluster, from standard input, or from a file that was exported."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pydantic import SecretBytes

from flows._fleet.hosts import closing
from flows._fleet.inventory import inventory
from flows._run.context import Context, FlowResult
from flows._run.publish import CONTROLLER
from flows._secrets.status import subject
from model.errors import PlanRefused, SecretsUnreadable, SelectionError, SiteError
from model.report.outcome import Outcome, Status
from model.rollout.own_objects import own_objects
from model.rollout.rendered import SecretRef
from model.rollout.secret_document import KeptValue, Origin, parse
from model.rollout.secret_kinds import flaw
from model.rollout.secret_names import chosen_refs, kept_refs, key_spec, secret_spec
from model.rollout.secret_places import SecretPlace, secret_places
from model.site.secrets import Realm
from tasks.secrets.held import HeldSecret, held_secret
from tasks.secrets.identity import identities
from tasks.secrets.sealing import opened
from tasks.secrets.store import SecretStore, open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A value that could be taken over, where it comes from in a person's words, and since when it is used."""

    value: SecretBytes
    source: str
    origin: Origin
    made: datetime | None = None


def from_standard_input(context: Context, word: str) -> FlowResult:
    """Take one value a person gives; it replaces what is there. Raises `SiteError` for what is no such value."""
    name, slash, key = word.partition("/")
    if not slash:
        raise SelectionError(f"--stdin takes one value: {name}/KEY")
    spec = key_spec(context.site, name, key)
    if spec.kind == "fixed":
        raise SelectionError(f"{word} is no secret: secrets.yaml says its value")
    given = _typed(word) if sys.stdin.isatty() else sys.stdin.buffer.read()
    value = given if b"\n" in given.strip() else given.rstrip(b"\r\n")
    if wrong := flaw(spec, value):
        raise SiteError(f"{word}: what was given {wrong}", next_step="give the value itself, and nothing else")
    offer = Offer(value=SecretBytes(value), source="standard input", origin="provided")
    return _taken(context, {SecretRef(name, key): offer}, chosen=True)


def from_file(context: Context, file: Path, words: tuple[str, ...]) -> FlowResult:
    """Take over what somebody exported for this controller; what differs only where it is named."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SiteError(f"{file}: cannot be read: {error.strerror}") from None
    try:
        document = parse(opened(content, identities(context.site), str(file)))
    except ValueError as error:
        raise SecretsUnreadable(f"{file}: {error}") from None
    wanted = chosen_refs(context.site, words) if words else tuple(document.secrets)
    if lacking := [ref for ref in wanted if ref not in document.secrets]:
        raise SelectionError(f"{file}: has no {lacking[0].name}/{lacking[0].key}")
    offers = {ref: _offered(document.secrets[ref].current, str(file)) for ref in wanted}
    return _taken(context, offers, chosen=bool(words))


def from_cluster(context: Context, words: tuple[str, ...], source: str | None) -> FlowResult:
    """
    Take over what the cluster holds: under the names of secrets.yaml and where the rollout puts it, or one secret from
    `source` (NAMESPACE/SECRET).
    """
    from remote.kube import open_cluster

    site = context.site
    refs = chosen_refs(site, words) if words else kept_refs(site)
    if source is not None and len({ref.name for ref in refs}) != 1:
        raise SelectionError("--from takes one secret: NAME, or NAME/KEY")
    places = _named(refs, source) if source else _places(context, refs)
    with ExitStack() as stack:
        nr = inventory(context.options.inventory)
        stack.enter_context(closing(nr))
        cluster = stack.enter_context(open_cluster(nr, site))
        held = cache(lambda namespace, name: held_secret(cluster, namespace, name))
        offers = {ref: offer for ref in refs if (offer := _held(places[ref], held)) is not None}
    if words and not offers:
        tried = dict.fromkeys(f"{place.namespace}/{place.secret}" for ref in refs for place in places[ref])
        raise SiteError(f"the cluster has no such value in {', '.join(tried)}", "`--from` names another Secret")
    if not offers:
        message = f"the cluster holds none of the {len(refs)} values that were looked for"
        return FlowResult((Outcome(CONTROLLER, "secrets", Status.NOT_RUN, message),), hosts=())
    return _taken(context, offers, chosen=bool(words))


def _named(refs: Sequence[SecretRef], source: str) -> dict[SecretRef, tuple[SecretPlace, ...]]:
    namespace, _, called = source.partition("/")
    name, _, key = called.partition("/")
    return {ref: (SecretPlace(namespace=namespace, secret=name, key=key or ref.key),) for ref in refs}


def _places(context: Context, refs: Sequence[SecretRef]) -> dict[SecretRef, tuple[SecretPlace, ...]]:
    site = context.site
    try:
        rendered = secret_places(own_objects(site))
    except SiteError as error:
        context.say(f"only Secrets of the names in secrets.yaml are looked for: {error}")
        rendered = {}
    found = {}
    for ref in refs:
        own = SecretPlace(namespace=secret_spec(site, ref.name).namespace, secret=ref.name, key=ref.key)
        found[ref] = (own, *rendered.get(ref, ()))
    return found


def _held(places: Sequence[SecretPlace], held: Callable[[str, str], HeldSecret | None]) -> Offer | None:
    for place in places:
        secret = held(place.namespace, place.secret)
        if secret is None or place.key not in secret.values:
            continue
        value = place.value_in(secret.values[place.key].get_secret_value())
        if value:
            source = f"the cluster's Secret {place.namespace}/{place.secret}"
            return Offer(value=SecretBytes(value), source=source, origin="imported", made=secret.made)
    return None


def _offered(kept: KeptValue, source: str) -> Offer:
    return Offer(value=kept.value, source=source, origin="imported", made=kept.made)


def _typed(word: str) -> bytes:
    return getpass.getpass(f"{word} (is not shown): ").encode()


def _taken(context: Context, offers: Mapping[SecretRef, Offer], *, chosen: bool) -> FlowResult:
    store, now = open_store(context.site), datetime.now(UTC).replace(microsecond=0)
    outcomes: list[Outcome] = []
    takes: dict[SecretRef, KeptValue] = {}
    _refuse_rotating(store, takes_over=[ref for ref in offers if chosen])
    for ref, offer in offers.items():
        differs = store.has(ref.name, ref.key) and store.value(ref.name, ref.key) != offer.value.get_secret_value()
        if store.has(ref.name, ref.key) and not (differs and chosen):
            outcomes.append(_left(ref, offer, differs))
        else:
            takes[ref] = KeptValue(value=offer.value, made=offer.made or now, origin=offer.origin)
            outcomes.append(_took(context, ref, offer, differs))
    if not context.options.dry_run:
        for realm in dict.fromkeys(_realm(context, ref) for ref in takes):
            store.take(realm, {ref: take for ref, take in takes.items() if _realm(context, ref) == realm})
    nothing = Outcome(CONTROLLER, "secrets", Status.OK, "there is nothing to take over")
    return FlowResult(tuple(outcomes) or (nothing,), hosts=())


def _refuse_rotating(store: SecretStore, takes_over: Sequence[SecretRef]) -> None:
    """Raise for a value whose rotation has not ended: the cluster may use two, and neither is the one that is given."""
    for ref in takes_over:
        kept = store.document(secret_spec(store.site, ref.name).realm).secrets.get(ref)
        if kept and kept.stage:
            name = f"{ref.name}/{ref.key}"
            step = f"python -m flows.secrets rotate {name}"
            raise PlanRefused(f"{name}: its rotation has not ended ({kept.stage}); nothing was touched", step)


def _realm(context: Context, ref: SecretRef) -> Realm:
    return secret_spec(context.site, ref.name).realm


def _left(ref: SecretRef, offer: Offer, differs: bool) -> Outcome:
    about = subject(f"{ref.name}/{ref.key}")
    if not differs:
        return Outcome(CONTROLLER, about, Status.OK, f"is what {offer.source} has")
    step = f"`python -m flows.secrets import {ref.name}/{ref.key}` takes it over; flows.rollout sends the store's"
    return Outcome(CONTROLLER, about, Status.DRIFT, f"differs from {offer.source}", next=step)


def _took(context: Context, ref: SecretRef, offer: Offer, differs: bool) -> Outcome:
    name = f"{ref.name}/{ref.key}"
    wrong = flaw(key_spec(context.site, ref.name, ref.key), offer.value.get_secret_value())
    note, step = (f", which {wrong}", f"python -m flows.secrets rotate {name}") if wrong else ("", "")
    lines = [f"{'~' if differs else '+'} {name}"]
    if context.options.dry_run:
        words = f"would be taken from {offer.source}{note}"
        step = "run without --dry-run"
        return Outcome(CONTROLLER, subject(name), Status.DRIFT, words, next=step, evidence=lines)
    words = f"taken from {offer.source}{note}"
    return Outcome(CONTROLLER, subject(name), Status.CHANGED, words, next=step, evidence=lines)
