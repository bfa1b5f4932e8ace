"""What a realm's store holds: values with their dates, and the text of it that is encrypted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, cast, get_args

from pydantic import SecretBytes

from model.rollout.rendered import SecretRef
from model.site.secrets import Realm

FORMAT = "matrix-fleet/secrets/1"
Origin = Literal["generated", "imported", "provided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptValue:
    """
    One value, since when it is used, and where it came from; `retired`: since when a rotation has it used no longer.

    Its text never shows the value.
    """

    value: SecretBytes
    made: datetime
    origin: Origin
    retired: datetime | None = None


class RotationStage(StrEnum):
    """
    How far the rotation of a value has come: another one is accepted and nobody's yet; it is everybody's and the former
    one is accepted still; it is the only one, and that is not proven yet.
    """

    OFFERED = "offered"
    ADOPTED = "adopted"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSecret:
    """
    The value of a key that is used, and those that it replaced, newest first.

    `stage` is of a rotation that has not ended; `coming` the value that is offered in its first stage.
    """

    current: KeptValue
    former: tuple[KeptValue, ...] = ()
    stage: RotationStage | None = None
    coming: KeptValue | None = None

    @property
    def accepted(self) -> KeptValue | None:
        """The value that is accepted beside the one in use, None where there is none."""
        if self.stage is RotationStage.ADOPTED:
            return self.former[0]
        return self.coming if self.stage is RotationStage.OFFERED else None

    @property
    def stage_since(self) -> datetime | None:
        """Since when a rotation that has not ended is in its stage; None where there is none."""
        if self.stage is RotationStage.OFFERED and self.coming:
            return self.coming.made
        retired = self.former[0].retired if self.former and self.stage is RotationStage.REPLACED else None
        return (retired or self.current.made) if self.stage else None

    @property
    def values(self) -> tuple[KeptValue, ...]:
        """Every value that is kept of it."""
        return (self.current, *filter(None, (self.coming,)), *self.former)

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
    rotation: dict[str, object] = {"stage": str(kept.stage)} if kept.stage else {}
    if kept.coming:
        rotation["coming"] = _value_json(kept.coming)
    return {**_value_json(kept.current), "former": [_value_json(value) for value in kept.former], **rotation}


def _value_json(value: KeptValue) -> dict[str, object]:
    retired = {"retired": value.retired.isoformat()} if value.retired else {}
    return {"value": _encoded(value.value), "made": value.made.isoformat(), "origin": value.origin, **retired}


def _kept(raw: Mapping[str, Any]) -> KeptSecret:
    return KeptSecret(
        current=_value(raw),
        former=tuple(_value(former) for former in raw["former"]),
        stage=RotationStage(raw["stage"]) if "stage" in raw else None,
        coming=_value(raw["coming"]) if "coming" in raw else None,
    )


def _value(raw: Mapping[str, Any]) -> KeptValue:
    return KeptValue(
        value=_decoded(raw["value"]),
        made=time_of(raw["made"]),
        origin=origin_of(raw["origin"]),
        retired=time_of(raw["retired"]) if "retired" in raw else None,
    )


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
