"""What is left to do until a host holds what it should."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatch

from model.host.debian_version import is_version
from model.host.hoststate import RUNNING, File, HostState, User
from model.host.observed_state import ObservedFile, ObservedState, ObservedUnit, ObservedUser
from model.host.state_change import StateChange, describe

_ENABLED = ("enabled", "static", "alias", "generated", "indirect", "enabled-runtime")
_STOPPED = ("inactive", "failed", "")
BEGIN = "# begin matrix-fleet: what stands here until the end mark is written by it"
END = "# end matrix-fleet"


def plan(desired: HostState, seen: ObservedState) -> StateChange:
    """Return what makes a host hold what it should. `plan(d, s)` is empty exactly where the host already does."""
    change = _with_units(desired, seen, _of_files_and_settings(desired, seen))
    change = replace(
        change,
        swapoff=desired.swapless and bool(seen.swaps),
        users=tuple(user for user in desired.users if not _is(user, seen.users.get(user.name))),
        userless=tuple(name for name in desired.userless if name in seen.users),
        folders=tuple(
            folder for folder in desired.folders if seen.folders.get(folder.path) != (folder.mode, folder.owner)
        ),
    )
    return replace(change, lines=describe(desired, seen, change))


def _of_files_and_settings(desired: HostState, seen: ObservedState) -> StateChange:
    replaced = tuple(
        name
        for name, version in desired.versions.items()
        if name in desired.packages and name in seen.packages and not is_version(seen.packages[name], version)
    )
    packages = tuple(name for name in desired.packages if name not in seen.packages or name in replaced)
    whole = (_whole(file, seen.files.get(file.path)) for file in desired.files)
    return StateChange(
        packages=packages,
        replaced=replaced,
        files=tuple(file for file in whole if not _holds(file, seen.files.get(file.path))),
        absent=_absent(desired, seen),
        modules=tuple(name for name in desired.modules if name not in seen.modules),
        sysctl={
            name: value for name, value in desired.sysctl.items() if seen.sysctl.get(name, "").split() != value.split()
        },
        held=tuple(name for name in desired.held if name not in seen.held and name in {*seen.packages, *packages}),
    )


def _absent(desired: HostState, seen: ObservedState) -> tuple[str, ...]:
    declared = {file.path for file in desired.files}
    swept = {path for path in seen.present if any(fnmatch(path, pattern) for pattern in desired.swept)} - declared
    return tuple(dict.fromkeys((*(path for path in desired.absent if path in seen.present), *sorted(swept))))


def _with_units(desired: HostState, seen: ObservedState, change: StateChange) -> StateChange:
    units = {unit.name: (unit, seen.units.get(unit.name, ObservedUnit("", ""))) for unit in desired.units}
    restart = _concerned(file.restart for file in change.files)
    return replace(
        change,
        enable=tuple(name for name, (unit, now) in units.items() if unit.enabled and now.enabled not in _ENABLED),
        disable=tuple(
            name for name, (unit, now) in units.items() if unit.enabled is False and now.enabled == "enabled"
        ),
        # A unit that is to be left stopped is not started by a restart.
        restart=tuple(name for name in restart if name not in units or units[name][0].active),
        reload=tuple(name for name in _concerned(file.reload for file in change.files) if name not in restart),
        start=tuple(
            name
            for name, (unit, now) in units.items()
            if unit.active and now.active not in RUNNING and name not in restart
        ),
        stop=tuple(name for name, (unit, now) in units.items() if unit.active is False and now.active not in _STOPPED),
    )


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


def _concerned(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in lists for name in names))
