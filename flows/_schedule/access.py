"""What the scheduled account must be able to read on the controller's machine, and what it is still kept from."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model.site.load import APPLICATION_FILES, FILES
from model.site.schedule import TellMatrix
from model.site.site import Site
from tasks.schedule_units import Setting

_FILES = (*FILES, *APPLICATION_FILES, "known_hosts")
_READ, _PASS = 4, 1


@dataclass(frozen=True, slots=True)
class Grants:
    """
    Files that the account's group is to read, and tokens that are to be the account's own; no private key is among
    them.
    """

    files: tuple[Path, ...]
    tokens: tuple[Path, ...]

    def __bool__(self) -> bool:
        """True where anything is to be granted."""
        return bool(self.files or self.tokens)

    def diff(self, user: str) -> str:
        """What changes, as a person reads it."""
        lines = [f"~ {path}: the group {user} may read it" for path in self.files]
        lines += [f"~ {path}: owned by {user}" for path in self.tokens]
        return "\n".join(lines)


def shut(site: Site, setting: Setting) -> Iterator[str]:
    """Say what keeps the account from what it needs, and is not ours to change."""
    user = setting.schedule.user
    program = setting.checkout / "flows" / "compliance.py"
    places = (program, setting.python, *_of_site(site, setting))
    folders = dict.fromkeys(parent for path in places for parent in (*path.parents, *path.resolve().parents))
    yield from (
        f"{path} lets {user} not through to what lies in it: chmod o+x"
        for path in folders
        if not _lets(path, user, _PASS)
    )
    if not _lets(program, user, _READ):
        yield f"{program} cannot be read by {user}: chmod -R o+rX {setting.checkout}"
    for path in _unread(site, setting):
        seen = path.stat()
        if seen.st_mode & 0o040 and seen.st_gid not in (0, _own_group(seen.st_uid)):
            yield f"{path} is for the group {path.group()}, and {user} is in no other group than its own: chmod o+r"
    yield from _wrong_tokens(site, setting)


def _wrong_tokens(site: Site, setting: Setting) -> Iterator[str]:
    for path in _tokens(site, setting):
        try:
            seen = path.stat()
        except OSError as error:
            yield f"{path}, an access token, cannot be looked at: {error.strerror}"
            continue
        if seen.st_mode & 0o077:
            yield f"{path}, an access token, can be read by others: chmod 600"
        elif seen.st_uid not in (0, _number(setting.schedule.user)):
            yield f"{path}, an access token, belongs to {path.owner()}: chown it to {setting.schedule.user}"


def grants(site: Site, setting: Setting) -> Grants:
    """Return what is still to be granted."""
    own = _number(setting.schedule.user)
    tokens = tuple(path for path in _tokens(site, setting) if path.stat().st_uid != own)
    return Grants(tuple(_unread(site, setting)), tokens)


def grant(what: Grants, user: str) -> None:
    """Let the account read the files by its group, and give it the tokens."""
    entry = pwd.getpwnam(user)
    for path in what.files:
        os.chown(path, -1, entry.pw_gid)
        path.chmod((path.stat().st_mode & 0o7777) | 0o040)
    for path in what.tokens:
        os.chown(path, entry.pw_uid, entry.pw_gid)


def _unread(site: Site, setting: Setting) -> Iterator[Path]:
    user = setting.schedule.user
    yield from (path for path in _of_site(site, setting) if path.exists() and not _lets(path, user, _READ))


def _of_site(site: Site, setting: Setting) -> tuple[Path, ...]:
    certificate, authorities = site.settings.tls.certificate, site.settings.servers.trusted_ca
    homeservers = (
        notifier.authority for notifier in site.settings.compliance.notify if isinstance(notifier, TellMatrix)
    )
    locks = (image.derived.requirements for image in site.images.values() if image.derived)
    own = (path for path in locks if path and (setting.inventory / path).exists())
    named = (path for path in (certificate, *authorities, *homeservers, *own) if path)
    return tuple(setting.inventory / name for name in (*_FILES, *named))


def _tokens(site: Site, setting: Setting) -> tuple[Path, ...]:
    notifiers = (notifier for notifier in site.settings.compliance.notify if isinstance(notifier, TellMatrix))
    return tuple(dict.fromkeys(setting.inventory / notifier.token_file for notifier in notifiers))


def _lets(path: Path, user: str, bit: int) -> bool:
    """
    Tell by mode, owner and group whether an account, which is in no group but its own, may read a file or pass through
    a folder.
    """
    seen = path.stat()
    if seen.st_uid == _number(user):
        return bool(seen.st_mode & bit << 6)
    own = any(group.gr_name == user and group.gr_gid == seen.st_gid for group in grp.getgrall())
    return bool(seen.st_mode & (bit << 3 if own else bit))


def _number(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def _own_group(number: int) -> int | None:
    try:
        return pwd.getpwuid(number).pw_gid
    except KeyError:
        return None
