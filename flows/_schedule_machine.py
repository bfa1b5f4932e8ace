"""Is the controller's machine one on which compliance can run by itself, and does the timer wait?"""

from __future__ import annotations

import grp
import os
import pwd
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from model.outcome import Outcome, Status
from model.site import Site
from tasks.schedule_units import Setting
from tasks.this_machine import NAME

PLACEHOLDER = "ssh-ed25519 (a new key)"
# systemd gives some signs of a path a meaning of their own.
_PLAIN = re.compile(r"^[A-Za-z0-9/._+@-]+$")
_HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))
_FILES = ("site.yaml", "hosts.yaml", "groups.yaml", "defaults.yaml", "ports.yaml", "known_hosts")
_SECONDS = 20.0


def obstacles(site: Site, setting: Setting, *, leaving: bool = False) -> tuple[str, ...]:
    """Return everything that keeps this machine from running it; `leaving`: only what keeps it from being taken away."""
    if os.geteuid() != 0:
        return (
            "this changes the machine itself: run it as root, with SSH_AUTH_SOCK kept where an agent holds your keys",
        )
    if not Path("/run/systemd/system").is_dir():
        return ("this machine is not run by systemd",)
    return () if leaving else (*_places(setting), *_calendar(setting), *_tokens(site, setting), *_open(site, setting))


def _places(setting: Setting) -> Iterator[str]:
    for what, path in (("the site", setting.inventory), ("this program", setting.checkout), ("Python", setting.python)):
        if not _PLAIN.match(str(path)):
            yield f"{what} lies in {path}: a unit of systemd takes only plain letters there"
        if any(path.is_relative_to(hidden) for hidden in _HIDDEN) or any(
            path.resolve().is_relative_to(hidden) for hidden in _HIDDEN
        ):
            yield f"{what} lies in {path}, in somebody's home, which the service does not see: move it to /opt or /srv"


def _calendar(setting: Setting) -> Iterator[str]:
    done = _run("systemd-analyze", "calendar", setting.schedule.calendar)
    if done.returncode:
        yield f"site.yaml: compliance.schedule.calendar: systemd does not know {setting.schedule.calendar!r}"


def _tokens(site: Site, setting: Setting) -> Iterator[str]:
    """A token that others can read, or that the account cannot, is found before the first run needs it."""
    for tell in site.settings.compliance.notify:
        if tell.kind != "matrix":
            continue
        path = setting.inventory / tell.token_file
        try:
            seen = path.stat()
        except OSError as error:
            yield f"{path}, the token of {tell.id}: {error.strerror}"
            continue
        if seen.st_mode & 0o077:
            yield f"{path}, the token of {tell.id}, can be read by others: chmod 600"
        elif seen.st_uid not in (0, _uid(setting.schedule.user)):
            yield f"{path}, the token of {tell.id}, belongs to somebody else than {setting.schedule.user}: chown it"


def _open(site: Site, setting: Setting) -> Iterator[str]:
    """Every folder on the way to what the account reads must let it through."""
    needed = (setting.checkout / "flows", setting.python, setting.inventory, *_of_site(site, setting))
    shut = dict.fromkeys(
        str(parent)
        for path in needed
        for parent in (*path.parents, *path.resolve().parents)
        if not _lets(parent, setting.schedule.user, 0o1)
    )
    yield from (f"{path} lets nobody through to what lies in it: chmod o+x" for path in shut)


def grants(site: Site, setting: Setting) -> tuple[Path, ...]:
    """Return the files of the site that the account cannot read yet; no private key is among them, and no token."""
    user = setting.schedule.user
    tokens = {setting.inventory / tell.token_file for tell in site.settings.compliance.notify if tell.kind == "matrix"}
    unread = tuple(path for path in _of_site(site, setting) if path.exists() and not _lets(path, user, 0o4))
    return (*unread, *(path for path in sorted(tokens) if path.exists() and path.stat().st_uid != _uid(user)))


def granted(paths: Iterable[Path], user: str) -> None:
    """Let the account's group read files, and make a token its own."""
    uid, gid = _uid(user), grp.getgrnam(user).gr_gid
    for path in paths:
        mode = path.stat().st_mode & 0o7777
        if mode & 0o077 == 0 and path.name not in _FILES:
            os.chown(path, uid or -1, gid)
        else:
            os.chown(path, -1, gid)
            path.chmod(mode | 0o040)


def _of_site(site: Site, setting: Setting) -> tuple[Path, ...]:
    tls, folder = site.settings.tls, setting.inventory
    named = (*([tls.certificate] if tls.certificate else []), *site.settings.servers.trusted_ca)
    return tuple(folder / name for name in (*_FILES, *named))


def _lets(path: Path, user: str, bit: int) -> bool:
    """Tell by mode, owner and group whether an account may read a file (4) or pass through a folder (1)."""
    seen, uid = path.stat(), _uid(user)
    groups = {group.gr_gid for group in grp.getgrall() if group.gr_name == user}
    if seen.st_uid == uid:
        return bool(seen.st_mode & bit << 6)
    return bool(seen.st_mode & (bit << 3 if seen.st_gid in groups else bit))


def _uid(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def timer_told(setting: Setting) -> Outcome:
    """Say when the timer runs next, and how the last run ended."""
    asked = "--property=NextElapseUSecRealtime,LastTriggerUSec,ActiveState,Result,ExecMainStatus,ExecMainExitTimestamp"
    waits, last = (_shown(asked, unit) for unit in (setting.timer, setting.service))
    evidence = {"timer": waits, "service": last}
    if waits.get("ActiveState") != "active":
        return Outcome(
            NAME,
            "schedule/timer",
            Status.DRIFT,
            "the timer does not wait",
            "python -m flows.schedule install",
            evidence,
        )
    ended = last.get("ExecMainExitTimestamp")
    was = f"the last run ended {ended} with exit code {last.get('ExecMainStatus')}" if ended else "it has not run yet"
    return Outcome(
        NAME, "schedule/timer", Status.OK, f"next {waits.get('NextElapseUSecRealtime')}; {was}", "", evidence
    )


def _shown(properties: str, unit: str) -> dict[str, str]:
    lines = _run("systemctl", "show", properties, "--", unit).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
