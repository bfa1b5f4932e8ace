"""Handing secrets on: a file that only those can open for whom it was encrypted."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from pydantic import SecretBytes, TypeAdapter, ValidationError

from flows._run.context import Context, FlowResult
from flows._run.publish import CONTROLLER
from model.errors import SelectionError, SiteError
from model.report.outcome import Outcome, Status
from model.rollout.rendered import SecretRef
from model.rollout.secret_document import dump
from model.rollout.secret_names import chosen_refs, kept_refs, secret_spec
from model.site.secrets import Realm, Recipient
from model.site.site import Site
from tasks.private_file import write_private
from tasks.secrets.identity import identities
from tasks.secrets.recipients import recipients_for
from tasks.secrets.sealing import sealed
from tasks.secrets.store import open_store

_RECIPIENTS: TypeAdapter[tuple[Recipient, ...]] = TypeAdapter(tuple[Recipient, ...])


def export(context: Context, words: tuple[str, ...], output: Path, given: tuple[str, ...]) -> FlowResult:
    """
    Write secrets of one realm, all of `main` where none is named, to an age file for `given`, else for the realm's own.

    Raises `SelectionError` for secrets of two realms: what is LI's never travels with what is not.
    """
    if output.exists():
        raise SiteError(f"{output} is there already; name another file")
    site, store = context.site, open_store(context.site)
    realm, refs = _chosen(site, words)
    document = store.document(realm)
    lacking = [ref for ref in refs if ref not in document.secrets]
    if words and lacking:
        store.value(lacking[0].name, lacking[0].key)
    chosen = {ref: document.secrets[ref] for ref in refs if ref in document.secrets}
    if not chosen:
        raise SiteError(f"the store has nothing of {realm} yet", next_step="python -m flows.secrets generate")
    readers = parsed(given) or recipients_for(site, realm, identities(site))
    message = f"{len(chosen)} values of {realm} for {len(readers)} recipients"
    if context.options.dry_run:
        step = "run without --dry-run"
        return _told(Outcome(CONTROLLER, str(output), Status.DRIFT, f"would be written: {message}", next=step))
    # Who gets the file must not be able to read the marks of the site's own index.
    part = replace(document, secrets=chosen, index_key=SecretBytes(os.urandom(32)))
    try:
        write_private(output, sealed(dump(part), readers))
    except OSError as error:
        raise SiteError(f"{output}: cannot be written: {error.strerror}") from None
    return _told(Outcome(CONTROLLER, str(output), Status.CHANGED, f"written: {message}"))


def _told(outcome: Outcome) -> FlowResult:
    return FlowResult((outcome,), hosts=())


def _chosen(site: Site, words: tuple[str, ...]) -> tuple[Realm, tuple[SecretRef, ...]]:
    if not words:
        return "main", kept_refs(site, "main")
    refs = chosen_refs(site, words)
    realms = {secret_spec(site, ref.name).realm for ref in refs}
    if len(realms) > 1:
        raise SelectionError("these are secrets of `main` and of `li`; export each realm to a file of its own")
    return realms.pop(), refs


def parsed(given: tuple[str, ...]) -> tuple[Recipient, ...]:
    """Return recipients a person named, each a public key or a file with one. Raises `SiteError`."""
    texts = []
    for word in given:
        path = Path(word)
        is_key = word.startswith(("age1", "ssh-"))
        texts.append(word if is_key or not path.is_file() else path.read_text("utf-8").strip())
    try:
        return _RECIPIENTS.validate_python(tuple(texts))
    except ValidationError:
        raise SiteError(
            f"--recipient: {', '.join(given)}: is no age key, no SSH public key and no file with one",
            next_step="age1..., or the path of an id_ed25519.pub",
        ) from None
