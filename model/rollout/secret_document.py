"""What a realm's store holds: values with their dates, and the text of it that is encrypted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, cast, get_args

from pydantic import SecretBytes

from model.rollout.rendered import SecretRef
from model.site.secrets import Realm

FORMAT = "matrix-fleet/secrets/1"
Origin = Literal["generated", "imported", "provided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptValue:
    """One value, since when it is used, and where it came from. Its text never shows the value."""

    value: SecretBytes
    made: datetime
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSecret:
    """The value of a key that is used, and those that it replaced, newest first."""

    current: KeptValue
    former: tuple[KeptValue, ...] = ()

    def replaced(self, by: KeptValue, keep: int) -> KeptSecret:
        """Return it with another value in use; of the former ones the newest `keep` stay."""
        return KeptSecret(current=by, former=(self.current, *self.former)[:keep])


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretDocument:
    """Everything of one realm. `index_key` makes the index's fingerprints, so that nobody can guess values by them."""

    realm: Realm
    index_key: SecretBytes
    secrets: Mapping[SecretRef, KeptSecret] = field(default_factory=dict)

    def with_value(self, ref: SecretRef, value: KeptValue, keep: int = 1) -> SecretDocument:
        """Return the document with a value in use."""
        before = self.secrets.get(ref)
        kept = before.replaced(value, keep) if before else KeptSecret(current=value)
        return replace(self, secrets={**self.secrets, ref: kept})

    def fingerprint(self, value: SecretBytes) -> str:
        """Return what tells equal values of this realm, and nothing else about them."""
        return hmac.new(self.index_key.get_secret_value(), value.get_secret_value(), hashlib.sha256).hexdigest()[:32]


def dump(document: SecretDocument) -> bytes:
    """Return the text that is to be encrypted."""
    secrets = {ref_text(ref): _kept_json(kept) for ref, kept in sorted(document.secrets.items())}
    key = _encoded(document.index_key)
    return json.dumps(
        {"format": FORMAT, "realm": document.realm, "index_key": key, "secrets": secrets}, indent=1
    ).encode()


def parse(text: bytes) -> SecretDocument:
    """Read what `dump` wrote. Raises ValueError, which says nothing of the content."""
    try:
        raw = json.loads(text)
        if raw["format"] != FORMAT:
            raise ValueError
        secrets = {ref_of(name): _kept(kept) for name, kept in raw["secrets"].items()}
        return SecretDocument(realm=realm_of(raw["realm"]), index_key=_decoded(raw["index_key"]), secrets=secrets)
    except (ValueError, LookupError, TypeError, AttributeError):
        # What was read holds secrets, and so does the error that names it.
        raise ValueError(f"its content is not of the form {FORMAT}") from None


def _kept_json(kept: KeptSecret) -> dict[str, object]:
    return {**_value_json(kept.current), "former": [_value_json(value) for value in kept.former]}


def _value_json(value: KeptValue) -> dict[str, object]:
    return {"value": _encoded(value.value), "made": value.made.isoformat(), "origin": value.origin}


def _kept(raw: Mapping[str, Any]) -> KeptSecret:
    return KeptSecret(current=_value(raw), former=tuple(_value(former) for former in raw["former"]))


def _value(raw: Mapping[str, Any]) -> KeptValue:
    return KeptValue(value=_decoded(raw["value"]), made=time_of(raw["made"]), origin=origin_of(raw["origin"]))


def _encoded(value: SecretBytes) -> str:
    return base64.b64encode(value.get_secret_value()).decode()


def _decoded(text: str) -> SecretBytes:
    return SecretBytes(base64.b64decode(text, validate=True))


def ref_text(ref: SecretRef) -> str:
    """Return a key of a secret as files have it: `NAME/KEY`."""
    return f"{ref.name}/{ref.key}"


def ref_of(name: str) -> SecretRef:
    """Read what `ref_text` wrote. Raises ValueError, as the following do."""
    secret, slash, key = name.partition("/")
    if not slash:
        raise ValueError(name)
    return SecretRef(secret, key)


def time_of(text: str) -> datetime:
    """Read a time that says how far it is from UTC."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(text)
    return time


def realm_of(word: str) -> Realm:
    """Read the name of a realm."""
    if word not in get_args(Realm):
        raise ValueError(word)
    return cast(Realm, word)


def origin_of(word: str) -> Origin:
    """Read where a value came from."""
    if word not in get_args(Origin):
        raise ValueError(word)
    return cast(Origin, word)
