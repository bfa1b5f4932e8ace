"""Encryption by age: for recipients, and opened by identities."""

from __future__ import annotations

from collections.abc import Sequence

from pyrage import DecryptError, RecipientError, decrypt, encrypt, ssh, x25519

from model.errors import NotARecipient, SecretsUnreadable, SiteError
from tasks.secrets.identity import VARIABLE, AgeIdentity

RESTORE = "bring the file back from your copy, or the newest of `secrets/former/` in the site's folder"
_NO_MATCH = "No matching keys found"


def sealed(content: bytes, recipients: Sequence[str]) -> bytes:
    """Encrypt for recipients, each an age key or an SSH public key. Raises `SiteError` naming one that is none."""
    encrypted: bytes = encrypt(content, [_recipient(text) for text in recipients])
    return encrypted


def opened(encrypted: bytes, identities: Sequence[AgeIdentity], name: str) -> bytes:
    """Decrypt; `name` is what errors call the file. Raises `SecretsUnreadable`."""
    try:
        content: bytes = decrypt(encrypted, [identity.key for identity in identities])
        return content
    except DecryptError as error:
        why = str(error)
    tried = ", ".join(str(identity.path) for identity in identities)
    if why == _NO_MATCH:
        raise NotARecipient(
            f"{name}: was not encrypted for the key in {tried}",
            next_step=f"name the right key by {VARIABLE} or `secrets.identity` in site.yaml, or let somebody who can "
            "open it add yours (`secrets.recipients`, then `python -m flows.secrets recipients`)",
        )
    raise SecretsUnreadable(f"{name}: is damaged, or no file of age ({why})", next_step=RESTORE)


def _recipient(text: str) -> object:
    try:
        if text.startswith("age1"):
            return x25519.Recipient.from_str(text)
        return ssh.Recipient.from_str(text)
    except RecipientError as error:
        shown = " ".join(text.split()[:2])[:40]
        raise SiteError(
            f"site.yaml: secrets.recipients: {shown}... is no key that age encrypts for: {error}",
            next_step="an age key (age1...), or the line of an SSH public key of the kind ed25519 or rsa",
        ) from None
