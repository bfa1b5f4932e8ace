"""What should a host hold - packages, files, units, kernel settings - and what is left to do until it does?"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import unified_diff
from fnmatch import fnmatch


@dataclass(frozen=True, slots=True)
class File:
    """
    One file, whole.

    `restart` names units that must take note of a change by a restart, `reload` those a reload suffices for. The text
    of a `secret` one is never read back nor shown; its digest is compared. That of an `opaque` one is not shown either,
    since a diff of it would say nothing; its digest is. A `block` is only a part of the file, between two marks of
    ours: what others wrote around it stays.
    """

    path: str
    text: str
    mode: int = 0o644
    owner: str = "root:root"
    secret: bool = False
    restart: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    block: bool = False
    opaque: bool = False

    @property
    def sha256(self) -> str:
        """Digest of its content, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit: whether it starts at boot and whether it runs now; None leaves that alone."""

    name: str
    enabled: bool | None = True
    active: bool | None = True


@dataclass(frozen=True, slots=True)
class User:
    """A system account with a group of its own, in no other group, that no password opens."""

    name: str
    home: str
    shell: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with its mode and owner; what lies in it is nobody's business."""

    path: str
    mode: int = 0o755
    owner: str = "root:root"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """
    What a host should hold. `packages` are Debian packages by name, `versions` the first numbers that the version of
    some must have, `absent` paths that must not exist, `swept` shell patterns of which only what is among `files` may
    be ours, `sysctl` values of the running kernel by dotted name (a file makes them last), `modules` kernel modules
    loaded or built in, `held` packages kept at their version, `userless` accounts that must not exist. `swapless`: no
    swap now, nor after a reboot.
    """

    packages: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    files: tuple[File, ...] = ()
    absent: tuple[str, ...] = ()
    swept: tuple[str, ...] = ()
    units: tuple[Unit, ...] = ()
    sysctl: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    swapless: bool = False
    users: tuple[User, ...] = ()
    userless: tuple[str, ...] = ()
    folders: tuple[Folder, ...] = ()

    def __add__(self, other: HostState) -> HostState:
        """Join two states that do not speak of the same thing."""
        return HostState(
            packages=self.packages + other.packages,
            versions={**self.versions, **other.versions},
            files=self.files + other.files,
            absent=self.absent + other.absent,
            swept=self.swept + other.swept,
            units=self.units + other.units,
            sysctl={**self.sysctl, **other.sysctl},
            modules=self.modules + other.modules,
            held=self.held + other.held,
            swapless=self.swapless or other.swapless,
            users=self.users + other.users,
            userless=self.userless + other.userless,
            folders=self.folders + other.folders,
        )


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


def plan(desired: HostState, seen: ObservedState) -> StateChange:
    """Return what makes a host hold what it should. `plan(d, s)` is empty exactly where the host already does."""
    replaced = tuple(
        name
        for name, version in desired.versions.items()
        if name in desired.packages and name in seen.packages and not is_version(seen.packages[name], version)
    )
    packages = tuple(name for name in desired.packages if name not in seen.packages or name in replaced)
    whole = (_whole(file, seen.files.get(file.path)) for file in desired.files)
    files = tuple(file for file in whole if not _holds(file, seen.files.get(file.path)))
    declared = {file.path for file in desired.files}
    swept = {path for path in seen.present if any(fnmatch(path, pattern) for pattern in desired.swept)} - declared
    absent = tuple(dict.fromkeys((*(path for path in desired.absent if path in seen.present), *sorted(swept))))
    modules = tuple(name for name in desired.modules if name not in seen.modules)
    sysctl = {
        name: value for name, value in desired.sysctl.items() if _words(seen.sysctl.get(name, "")) != _words(value)
    }
    held = tuple(name for name in desired.held if name not in seen.held and name in {*seen.packages, *packages})
    units = {unit.name: (unit, seen.units.get(unit.name, ObservedUnit("", ""))) for unit in desired.units}
    running = {name for name, (unit, _) in units.items() if unit.active}
    restart = _concerned(file.restart for file in files)
    reload = tuple(name for name in _concerned(file.reload for file in files) if name not in restart)
    start = tuple(
        name for name, (unit, now) in units.items() if unit.active and now.active not in RUNNING and name not in restart
    )
    stop = tuple(name for name, (unit, now) in units.items() if unit.active is False and now.active not in _STOPPED)
    enable = tuple(name for name, (unit, now) in units.items() if unit.enabled and now.enabled not in _ENABLED)
    disable = tuple(name for name, (unit, now) in units.items() if unit.enabled is False and now.enabled == "enabled")
    swaps = seen.swaps if desired.swapless else ()
    users = tuple(user for user in desired.users if not _is(user, seen.users.get(user.name)))
    userless = tuple(name for name in desired.userless if name in seen.users)
    folders = tuple(
        folder for folder in desired.folders if seen.folders.get(folder.path) != (folder.mode, folder.owner)
    )
    lines = (
        *(_package(name, seen.packages.get(name, ""), desired.versions.get(name, "")) for name in packages),
        *(line for file in files for line in _difference(file, seen.files.get(file.path))),
        *(f"- {path}" for path in absent),
        *(f"+ module {name}" for name in modules),
        *(f"~ sysctl {name}: {seen.sysctl.get(name, '(none)')} -> {value}" for name, value in sysctl.items()),
        *(f"+ hold {name}" for name in held),
        *(f"+ enable {name}" for name in enable),
        *(f"- disable {name}" for name in disable),
        *(f"~ start {name}" for name in start),
        *(f"~ stop {name}" for name in stop),
        *(f"- swap {name}" for name in swaps),
        *(_account(user, seen.users.get(user.name)) for user in users),
        *(f"- user {name}" for name in userless),
        *(_folder(folder, seen.folders.get(folder.path)) for folder in folders),
    )
    return StateChange(
        packages=packages,
        replaced=replaced,
        files=files,
        absent=absent,
        modules=modules,
        sysctl=sysctl,
        held=held,
        enable=enable,
        disable=disable,
        restart=tuple(name for name in restart if name in running or name not in units),
        reload=reload,
        start=start,
        stop=stop,
        swapoff=bool(swaps),
        users=users,
        userless=userless,
        folders=folders,
        lines=lines,
    )


def is_version(version: str, wanted: str) -> bool:
    """Return whether a package's whole version, such as 1.36.3-1.1, is the wanted one or begins with its numbers."""
    return re.search(expression(wanted), version) is not None


def expression(version: str) -> str:
    """
    Return what matches a package's whole version where it is `version`, or begins with its numbers; apt reads it, too.
    """
    return rf"^([0-9]+:)?{re.escape(version)}([.+~-].*)?$"


def _package(name: str, now: str, wanted: str) -> str:
    return f"~ package {name}: {now} -> {wanted}" if now else f"+ package {name}{f' ({wanted})' if wanted else ''}"


_ENABLED = ("enabled", "static", "alias", "generated", "indirect", "enabled-runtime")
# A service that is just reading its configuration anew runs.
RUNNING = ("active", "reloading", "refreshing")
_STOPPED = ("inactive", "failed", "")


BEGIN = "# begin matrix-fleet: what stands here until the end mark is written by it"
END = "# end matrix-fleet"


def _whole(file: File, seen: ObservedFile | None) -> File:
    """Return the file with a block put into what stands around it: in the block's old place, else at the end."""
    if not file.block:
        return file
    before, around = (seen.text or "") if seen else "", f"{BEGIN}\n{file.text}{END}\n"
    head, begin, rest = before.partition(f"{BEGIN}\n")
    if begin:
        return replace(file, text=head + around + rest.partition(f"{END}\n")[2], block=False)
    gap = "" if not head or head.endswith("\n") else "\n"
    return replace(file, text=head + gap + around, block=False)


def _holds(file: File, seen: ObservedFile | None) -> bool:
    return seen is not None and (seen.sha256, seen.mode, seen.owner) == (file.sha256, file.mode, file.owner)


def _is(user: User, seen: ObservedUser | None) -> bool:
    return seen == ObservedUser(user.home, user.shell, frozenset({user.name}), True)


def _account(user: User, seen: ObservedUser | None) -> str:
    wanted = f"home {user.home}, shell {user.shell}, no password, no other group"
    if seen is None:
        return f"+ user {user.name} ({wanted})"
    was = f"home {seen.home}, shell {seen.shell}, {'no' if seen.locked else 'a'} password, groups {', '.join(sorted(seen.groups))}"
    return f"~ user {user.name}: {was} -> {wanted}"


def _folder(folder: Folder, seen: tuple[int, str] | None) -> str:
    wanted = f"{folder.mode:04o} {folder.owner}"
    return f"~ {folder.path}: {seen[0]:04o} {seen[1]} -> {wanted}" if seen else f"+ {folder.path} ({wanted})"


def _words(value: str) -> list[str]:
    return value.split()


def _concerned(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in lists for name in names))


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
