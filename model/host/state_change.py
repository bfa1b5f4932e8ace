"""What is left to do on a host, and how a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import unified_diff

from model.host.hoststate import File, Folder, HostState, User
from model.host.observed_state import ObservedFile, ObservedState, ObservedUser


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """
    What is left to do on a host, in the order it is done; `lines` say it to a person, secrets left out. `replaced` are
    those of the packages that are there in another version.
    """

    packages: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    absent: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    sysctl: Mapping[str, str] = field(default_factory=dict)
    held: tuple[str, ...] = ()
    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    swapoff: bool = False
    users: tuple[User, ...] = ()
    userless: tuple[str, ...] = ()
    folders: tuple[Folder, ...] = ()
    lines: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """True where there is anything to do."""
        return bool(self.lines)

    @property
    def diff(self) -> str:
        """What changes, as a person reads it."""
        return "\n".join(self.lines)


def describe(desired: HostState, seen: ObservedState, change: StateChange) -> tuple[str, ...]:
    """Return the lines that say a change to a person, secrets left out."""
    return (
        *(_package(name, seen.packages.get(name, ""), desired.versions.get(name, "")) for name in change.packages),
        *(line for file in change.files for line in _difference(file, seen.files.get(file.path))),
        *(f"- {path}" for path in change.absent),
        *(f"+ module {name}" for name in change.modules),
        *(f"~ sysctl {name}: {seen.sysctl.get(name, '(none)')} -> {value}" for name, value in change.sysctl.items()),
        *(f"+ hold {name}" for name in change.held),
        *(f"+ enable {name}" for name in change.enable),
        *(f"- disable {name}" for name in change.disable),
        *(f"~ start {name}" for name in change.start),
        *(f"~ stop {name}" for name in change.stop),
        *(f"- swap {name}" for name in seen.swaps if change.swapoff),
        *(_account(user, seen.users.get(user.name)) for user in change.users),
        *(f"- user {name}" for name in change.userless),
        *(_folder(folder, seen.folders.get(folder.path)) for folder in change.folders),
    )


def _package(name: str, now: str, wanted: str) -> str:
    return f"~ package {name}: {now} -> {wanted}" if now else f"+ package {name}{f' ({wanted})' if wanted else ''}"


def _account(user: User, seen: ObservedUser | None) -> str:
    wanted = f"home {user.home}, shell {user.shell}, no password, no other group"
    if seen is None:
        return f"+ user {user.name} ({wanted})"
    was = (
        f"home {seen.home}, shell {seen.shell}, {'no' if seen.locked else 'a'} password, groups "
        f"{', '.join(sorted(seen.groups))}"
    )
    return f"~ user {user.name}: {was} -> {wanted}"


def _folder(folder: Folder, seen: tuple[int, str] | None) -> str:
    wanted = f"{folder.mode:04o} {folder.owner}"
    return f"~ {folder.path}: {seen[0]:04o} {seen[1]} -> {wanted}" if seen else f"+ {folder.path} ({wanted})"


def _difference(file: File, seen: ObservedFile | None) -> list[str]:
    """Say how a file changes: a unified diff where both texts may be shown, else what differs."""
    meta = [] if seen is None else [f"~ {file.path}: mode {seen.mode:04o} {seen.owner} -> {file.mode:04o} {file.owner}"]
    if seen is not None and seen.sha256 == file.sha256:
        return meta
    if file.secret:
        return [f"~ {file.path}: another secret" if seen else f"+ {file.path} (secret, mode {file.mode:04o})"]
    if file.opaque:
        was = f"~ {file.path}: sha256 {seen.sha256} -> " if seen else f"+ {file.path} (mode {file.mode:04o}) sha256 "
        return [f"{was}{file.sha256}"]
    before = (seen.text or "") if seen else ""
    if seen is not None and seen.text is None:
        return [f"~ {file.path}: other content"]
    names = ("/dev/null" if seen is None else file.path, file.path)
    lines = list(unified_diff(before.splitlines(), file.text.splitlines(), *names, lineterm="", n=2))
    return lines or [f"~ {file.path}: only the ends of lines differ" if seen else f"+ {file.path} (empty)"]
