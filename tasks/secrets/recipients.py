"""For whom a realm is encrypted: those the site names, and always who encrypts it."""

from __future__ import annotations

from collections.abc import Sequence

from model.errors import NotARecipient
from model.site.secrets import Realm
from model.site.site import Site
from tasks.secrets.identity import AgeIdentity


def recipients_for(site: Site, realm: Realm, own: Sequence[AgeIdentity]) -> tuple[str, ...]:
    """
    Return the public keys a realm is encrypted for: the site's, else the one of who runs this.

    Raises `NotARecipient` where the site's leave out who runs this, who could then not read what they wrote.
    """
    declared = site.settings.secrets.recipients.get(realm, ())
    if not declared:
        return (own[0].recipient,)
    if not {bare(text) for text in declared} & {bare(identity.recipient) for identity in own}:
        raise NotARecipient(
            f"site.yaml: secrets.recipients.{realm} does not name the key of who runs this "
            f"({own[0].path}), who could not open what is written",
            next_step=f"add the line: {own[0].recipient}",
        )
    return tuple(declared)


def bare(recipient: str) -> str:
    """Return a recipient without the comment an SSH key may have."""
    return " ".join(recipient.split()[:2])
