"""What `secrets.yaml` says: each secret's keys, kind, consumers and how it is rotated; never a value."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from model.base import Declared, Name, Text

KEY = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
SecretKey = Annotated[str, StringConstraints(pattern=KEY)]
SecretKind = Literal["password", "hex", "base64", "signing-key", "rsa", "x25519", "api-key", "fixed", "provided"]


class KeySpec(Declared):
    """
    One key of a secret. `length` counts characters of the value (for base64: bytes before encoding, for rsa: bits);
    `fixed` says `value`, which is no secret (a user's name); `provided` comes from a person.
    """

    kind: SecretKind
    length: Annotated[int, Field(ge=1, le=8192)] | None = None
    prefix: Text | None = None
    value: Text | None = None


class SecretSpec(Declared):
    """
    One Secret of the cluster.

    `consumers` are components; `realm` says whose recipients may read it: LI's material has its own.
    """

    name: Name
    title: Text
    keys: dict[SecretKey, KeySpec] = Field(min_length=1)
    consumers: tuple[Name, ...] = ()
    namespace: Name
    realm: Literal["main", "li"] = "main"
    when: tuple[Text, ...] = ()
    max_age_days: Annotated[int, Field(ge=1)] | None = 90


class SecretsFile(Declared):
    """`secrets.yaml`."""

    secrets: tuple[SecretSpec, ...] = Field(min_length=1)
