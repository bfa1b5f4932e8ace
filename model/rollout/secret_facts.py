"""What rendering may know of the site's store: no value, only what rotations make of the application."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from model.rollout.rendered import SecretRef
from model.rollout.secret_document import KeptSecret, KeptValue, RotationStage, SecretDocument
from model.rollout.secret_kinds import verify_key

SIGNING_KEY = SecretRef("synapse-signing-key", "signing.key")
# A key that is coming or going signs now and then until every process has been started anew.
_CHANGES_OVER = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class OldKey:
    """The public half of a signing key that is not the one in use, and until when its signatures hold (UTC)."""

    public: str
    expires: datetime

    def to_json(self) -> dict[str, object]:
        """Return it as Synapse reads it."""
        return {"key": self.public, "expired_ts": int(self.expires.timestamp() * 1000)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFacts:
    """
    `windows`: the values beside which another one is accepted, as long as their rotation is going on; `old_keys` by
    their IDs, newest first.
    """

    windows: frozenset[SecretRef] = frozenset()
    old_keys: Mapping[str, OldKey] = field(default_factory=dict)


NO_FACTS = SecretFacts()


def secret_facts(documents: Iterable[SecretDocument]) -> SecretFacts:
    """Return what a store's realms, those that can be read, mean for rendering."""
    secrets = {ref: kept for document in documents for ref, kept in document.secrets.items()}
    windows = frozenset(ref for ref, kept in secrets.items() if kept.accepted)
    signing = secrets.get(SIGNING_KEY)
    return SecretFacts(windows=windows, old_keys=_old_keys(signing) if signing else {})


def _old_keys(kept: KeptSecret) -> dict[str, OldKey]:
    """
    Return every signing key but the one in use.

    Processes are started anew one after the other: each must know the key of the others, and others must hold what it
    signs for good, until none signs with it.
    """
    found: list[tuple[KeptValue, datetime]] = []
    if kept.stage is RotationStage.OFFERED and kept.coming:
        found.append((kept.coming, kept.coming.made + _CHANGES_OVER))
    behind = kept.current.made
    for value in kept.former:
        found.append((value, value.retired or behind + _CHANGES_OVER))
        behind = value.made
    return {name: key for value, expires in found for name, key in _public(value, expires)}


def _public(value: KeptValue, expires: datetime) -> Iterable[tuple[str, OldKey]]:
    try:
        name, key = verify_key(value.value.get_secret_value())
    except ValueError:
        # Taken over from elsewhere, of a form that nothing is known of.
        return
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    yield name, OldKey(public=base64.b64encode(raw).decode().rstrip("="), expires=expires)
