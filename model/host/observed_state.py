"""What a host holds of what it should: the same things as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ObservedFile:
    """A file as it is: the digest of its content, mode, owner, and its text where it may be read back."""

    sha256: str
    mode: int
    owner: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class ObservedUnit:
    """
    A unit as systemd knows it: `enabled` and `active` as it calls them, and whether its files changed since they were
    read.
    """

    enabled: str
    active: str
    reload_needed: bool = False


@dataclass(frozen=True, slots=True)
class ObservedUser:
    """An account: its folder, shell, the names of its groups, and whether a password or another's number opens it."""

    home: str
    shell: str
    groups: frozenset[str]
    locked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedState:
    """
    What a host holds of what was asked for; what is not there is absent from the mappings. `present` are paths that
    exist of those that should be absent or are swept. `swaps`: active or configured swap.
    """

    packages: Mapping[str, str]
    held: frozenset[str]
    files: Mapping[str, ObservedFile]
    present: frozenset[str]
    units: Mapping[str, ObservedUnit]
    sysctl: Mapping[str, str]
    modules: frozenset[str]
    swaps: tuple[str, ...] = ()
    users: Mapping[str, ObservedUser] = field(default_factory=dict)
    folders: Mapping[str, tuple[int, str]] = field(default_factory=dict)
