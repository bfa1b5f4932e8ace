"""What `secrets.yaml` says: each secret's keys, kind, consumers and how it is rotated; never a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator

from model.base import Declared, Name, Text

KEY = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
# An age key, or an SSH key of a kind that age can encrypt for.
RECIPIENT = r"^(age1[02-9ac-hj-np-z]{58}|ssh-(ed25519|rsa) [A-Za-z0-9+/]+={0,3}( .*)?)$"
SecretKey = Annotated[str, StringConstraints(pattern=KEY)]
Recipient = Annotated[str, StringConstraints(pattern=RECIPIENT)]
SecretKind = Literal["password", "hex", "base64", "signing-key", "rsa", "x25519", "api-key", "fixed", "provided"]
Realm = Literal["main", "li"]
Procedure = Literal["restart", "stop-all", "signing-key", "two-values", "operator", "provided", "none"]

REALMS: tuple[Realm, ...] = get_args(Realm)
# Characters of a value; for base64 bytes before encoding, for rsa bits.
USUAL_LENGTH: Mapping[SecretKind, int] = {"password": 40, "hex": 64, "base64": 32, "rsa": 3072, "api-key": 20}
# Below these a value could be guessed. An API key names its holder: its secret is another key.
LEAST_LENGTH: Mapping[SecretKind, int] = {"password": 24, "hex": 32, "base64": 16, "rsa": 2048, "api-key": 16}


class Rotation(Declared):
    """
    How a value gives way to a new one: by which `procedure` (see docs/secrets.md), how long its consumers are expected
    to be away (`gap_seconds`), and what else people notice (`effect`).
    """

    procedure: Procedure
    gap_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    effect: Text | None = None


class KeySpec(Declared):
    """
    One key of a secret. `length` counts characters of the value (for base64: bytes before encoding, for rsa: bits);
    `fixed` says `value`, which is no secret (a user's name); `provided` comes from a person. `rotation` is its own,
    where that of the whole secret does not fit.
    """

    kind: SecretKind
    length: Annotated[int, Field(ge=1, le=8192)] | None = None
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,16}$")] | None = None
    value: Text | None = None
    rotation: Rotation | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.kind == "fixed") != (self.value is not None):
            raise ValueError("`value` goes with the kind `fixed`, and with no other")
        if self.prefix is not None and self.kind != "api-key":
            raise ValueError("`prefix` goes with the kind `api-key`")
        if self.length is not None:
            self._measured(self.length)
        return self

    def _measured(self, length: int) -> None:
        least = LEAST_LENGTH.get(self.kind)
        if least is None:
            raise ValueError(f"a value of the kind `{self.kind}` has no length to choose")
        if length < least + len(self.prefix or ""):
            raise ValueError(f"`length` is at least {least + len(self.prefix or '')} for the kind `{self.kind}`")

    @property
    def size(self) -> int:
        """How long the value is to be; 0 for kinds that leave no choice."""
        return self.length or USUAL_LENGTH.get(self.kind, 0)

    @property
    def is_generated(self) -> bool:
        """Whether this program makes the value."""
        return self.kind not in ("fixed", "provided")


class SecretSpec(Declared):
    """
    One Secret of the cluster.

    `consumers` are components; `realm` says whose recipients may read it: LI's material has its own. `also_in` are
    further namespaces whose pods need a copy.
    """

    name: Name
    title: Text
    keys: dict[SecretKey, KeySpec] = Field(min_length=1)
    consumers: tuple[Name, ...] = ()
    namespace: Name
    also_in: tuple[Name, ...] = ()
    realm: Realm = "main"
    when: tuple[Text, ...] = ()
    max_age_days: Annotated[int, Field(ge=1)] | None = 90
    rotation: Rotation = Rotation(procedure="restart")

    def rotation_of(self, key: str) -> Rotation:
        """Return how a key is rotated."""
        spec = self.keys[key]
        if spec.kind == "fixed":
            return Rotation(procedure="none")
        if spec.rotation is None and spec.kind == "provided":
            return Rotation(procedure="provided", gap_seconds=self.rotation.gap_seconds, effect=self.rotation.effect)
        return spec.rotation or self.rotation

    def kept(self) -> Iterator[tuple[str, KeySpec]]:
        """Yield the keys whose values are kept in the store: all that are secret."""
        yield from ((key, spec) for key, spec in self.keys.items() if spec.kind != "fixed")


class SecretsFile(Declared):
    """`secrets.yaml`."""

    secrets: tuple[SecretSpec, ...] = Field(min_length=1)


class SecretKeeping(Declared):
    """
    How the site's secrets are kept on the controller.

    `identity` is the file with the key that opens them, relative to the site's folder; it must not lie in it.
    `recipients` are the public keys of those who may read them, by realm; whoever runs flows must be among them.
    """

    identity: Text | None = None
    recipients: dict[Realm, Annotated[tuple[Recipient, ...], Field(min_length=1)]] = {}
