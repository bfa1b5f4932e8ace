"""What a realm's store holds: values with their dates, as the text that is encrypted and as the index beside it."""

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
INDEX_FORMAT = "matrix-fleet/secrets-index/1"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """What may be known of a value by who cannot read it."""

    made: datetime
    origin: Origin
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretIndex:
    """What lies beside a realm's encrypted file: no values, but names, dates, and for whom it was encrypted."""

    realm: Realm
    sha256: str
    recipients: tuple[str, ...]
    entries: Mapping[SecretRef, IndexEntry]


def dump(document: SecretDocument) -> bytes:
    """Return the text that is to be encrypted."""
    secrets = {_name(ref): _kept_json(kept) for ref, kept in sorted(document.secrets.items())}
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
        secrets = {_ref(name): _kept(kept) for name, kept in raw["secrets"].items()}
        return SecretDocument(realm=_realm(raw["realm"]), index_key=_decoded(raw["index_key"]), secrets=secrets)
    except (ValueError, LookupError, TypeError, AttributeError):
        # What was read holds secrets, and so does the error that names it.
        raise ValueError(f"its content is not of the form {FORMAT}") from None


def index_of(document: SecretDocument, encrypted: bytes, recipients: tuple[str, ...]) -> SecretIndex:
    """Return the index of a document that was encrypted."""
    entries = {
        ref: IndexEntry(
            made=kept.current.made,
            origin=kept.current.origin,
            fingerprint=document.fingerprint(kept.current.value),
        )
        for ref, kept in document.secrets.items()
    }
    digest = hashlib.sha256(encrypted).hexdigest()
    return SecretIndex(realm=document.realm, sha256=digest, recipients=recipients, entries=entries)


def dump_index(index: SecretIndex) -> bytes:
    """Return the index as the text of its file."""
    entries = {
        _name(ref): {"made": entry.made.isoformat(), "origin": entry.origin, "fingerprint": entry.fingerprint}
        for ref, entry in sorted(index.entries.items())
    }
    head = {"format": INDEX_FORMAT, "realm": index.realm, "sha256": index.sha256}
    return (json.dumps({**head, "recipients": index.recipients, "secrets": entries}, indent=1) + "\n").encode()


def parse_index(text: bytes) -> SecretIndex:
    """Read what `dump_index` wrote. Raises ValueError."""
    try:
        raw = json.loads(text)
        if raw["format"] != INDEX_FORMAT:
            raise ValueError
        return SecretIndex(
            realm=_realm(raw["realm"]),
            sha256=str(raw["sha256"]),
            recipients=tuple(str(recipient) for recipient in raw["recipients"]),
            entries={
                _ref(name): IndexEntry(
                    made=_time(entry["made"]), origin=_origin(entry["origin"]), fingerprint=str(entry["fingerprint"])
                )
                for name, entry in raw["secrets"].items()
            },
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"is no index of the form {INDEX_FORMAT}") from error


def _kept_json(kept: KeptSecret) -> dict[str, object]:
    return {**_value_json(kept.current), "former": [_value_json(value) for value in kept.former]}


def _value_json(value: KeptValue) -> dict[str, object]:
    return {"value": _encoded(value.value), "made": value.made.isoformat(), "origin": value.origin}


def _kept(raw: Mapping[str, Any]) -> KeptSecret:
    return KeptSecret(current=_value(raw), former=tuple(_value(former) for former in raw["former"]))


def _value(raw: Mapping[str, Any]) -> KeptValue:
    return KeptValue(value=_decoded(raw["value"]), made=_time(raw["made"]), origin=_origin(raw["origin"]))


def _encoded(value: SecretBytes) -> str:
    return base64.b64encode(value.get_secret_value()).decode()


def _decoded(text: str) -> SecretBytes:
    return SecretBytes(base64.b64decode(text, validate=True))


def _name(ref: SecretRef) -> str:
    return f"{ref.name}/{ref.key}"


def _ref(name: str) -> SecretRef:
    secret, slash, key = name.partition("/")
    if not slash:
        raise ValueError(name)
    return SecretRef(secret, key)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(text)
    return time


def _realm(word: str) -> Realm:
    if word not in get_args(Realm):
        raise ValueError(word)
    return cast(Realm, word)


def _origin(word: str) -> Origin:
    if word not in get_args(Origin):
        raise ValueError(word)
    return cast(Origin, word)
