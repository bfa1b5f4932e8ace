"""For whom the site's secrets are encrypted, and encrypting them anew when that has changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flows._run.context import Context, FlowResult
from flows._run.publish import CONTROLLER
from model.errors import NotARecipient, SiteError
from model.report.outcome import Outcome, Status, warn
from model.rollout.secret_index import SecretIndex, index_path, kept_index
from model.site.secrets import REALMS, Realm
from tasks.secrets.identity import home_identity, identities, make_identity, named_identity
from tasks.secrets.recipients import bare, recipients_for
from tasks.secrets.store import SecretStore, open_store

_ROTATE = "who is a recipient no longer may have kept a copy: python -m flows.secrets rotate NAME for what matters"


def recipients(context: Context, make: bool) -> FlowResult:
    """
    Encrypt each realm for those the site names; `make`: make the key of who runs this before.

    Raises `SiteError` where there is no key, or where there is one already and `make` would make another.
    """
    outcomes = [_made(context)] if make else []
    if make and context.options.dry_run:
        return FlowResult(tuple(outcomes), hosts=())
    own = identities(context.site)
    outcomes.append(Outcome(CONTROLLER, "secrets/key", Status.OK, f"{own[0].path}: {own[0].recipient}"))
    store = open_store(context.site)
    for realm in REALMS:
        outcomes += _realm(context, store, realm)
    return FlowResult(tuple(outcomes), hosts=())


def _made(context: Context) -> Outcome:
    path = named_identity(context.site) or home_identity()
    if context.options.dry_run:
        step = "run without --dry-run"
        return Outcome(CONTROLLER, "secrets/key", Status.DRIFT, f"{path} would be made", next=step)
    made = make_identity(path)
    step = f"keep a copy of {made.path} where the site's folder is not: without it no value can be read"
    return Outcome(CONTROLLER, "secrets/key", Status.CHANGED, f"made: {made.path}, {made.recipient}", next=step)


def _realm(context: Context, store: SecretStore, realm: Realm) -> Iterator[Outcome]:
    subject = f"secrets/{realm}"
    try:
        wanted = recipients_for(context.site, realm, identities(context.site))
        document = store.document(realm)
    except NotARecipient as error:
        if realm == "main":
            raise
        yield Outcome(CONTROLLER, subject, Status.NOT_RUN, str(error))
        return
    index = _index(context.site.folder, realm)
    if index is None and not document.secrets:
        yield Outcome(CONTROLLER, subject, Status.OK, f"nothing is kept yet; it will be for {_shown(wanted)}")
        return
    lines = _difference(index.recipients if index else (), wanted)
    outdated = index is not None and (index.stale or not index.tells_rotations)
    if outdated and not lines:
        lines = [f"~ {index_path(context.site.folder, realm).name}"]
    if not lines:
        yield Outcome(CONTROLLER, subject, Status.OK, f"encrypted for {_shown(wanted)}")
    elif context.options.dry_run:
        step = "run without --dry-run"
        yield Outcome(CONTROLLER, subject, Status.DRIFT, "would be encrypted anew", next=step, evidence=lines)
    else:
        store.save(document)
        yield Outcome(CONTROLLER, subject, Status.CHANGED, "encrypted anew", evidence=lines)
        if any(line.startswith("-") for line in lines):
            yield warn(CONTROLLER, f"{subject}/removed", "the files of before can still be opened", _ROTATE)


def _index(folder: Path, realm: Realm) -> SecretIndex | None:
    """Return a realm's index; None where there is none that can be understood: the next write makes it anew."""
    try:
        return kept_index(folder, realm)
    except ValueError:
        return None
    except OSError as error:
        path = index_path(folder, realm)
        raise SiteError(f"{path}: the site's secrets cannot be read or written: {error.strerror}") from None


def _difference(before: tuple[str, ...], after: tuple[str, ...]) -> list[str]:
    was, now = [bare(text) for text in before], [bare(text) for text in after]
    gone = [f"- {_short(text)}" for text in before if bare(text) not in now]
    return gone + [f"+ {_short(text)}" for text in after if bare(text) not in was]


def _shown(recipients: tuple[str, ...]) -> str:
    return ", ".join(_short(text) for text in recipients)


def _short(recipient: str) -> str:
    """Return a recipient as a person knows it: an SSH key by its comment, too."""
    words = recipient.split(maxsplit=2)
    if len(words) == 1:
        return recipient
    comment = f" {words[2]}" if len(words) > 2 else ""
    return f"{words[0]} ...{words[1][-12:]}{comment}"
