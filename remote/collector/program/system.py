"""What are the host's system, kernel, boot, units, users and sshd?"""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat
import time
from pathlib import Path
from typing import Any

from remote.collector.program.ask import Failed, installed, matching, output, text, word

Wishes = dict[str, Any]
_FOLDER = "/usr/local/lib/matrix-fleet"
SCHEDULED = (
    *(f"{_FOLDER}/{name}" for name in ("collector", "witness", "source", "entry", ".ssh/authorized_keys")),
    "/etc/sudoers.d/matrix-fleet",
    # Who may write a folder may put another file in the place of one in it.
    *(_FOLDER, f"{_FOLDER}/.ssh"),
)
_MOST_BYTES = 4 << 20


def joined() -> bool:
    """Tell whether the host has what a kubelet needs to be a node."""
    return Path("/etc/kubernetes/kubelet.conf").exists()


def release(_wishes: Wishes) -> Any:
    """Return os-release's text, the kernel that runs, and what this project left as its mark."""
    return {
        "os_release": text("/etc/os-release") or "",
        "kernel": os.uname().release,
        "architecture": os.uname().machine,
        "hostname": os.uname().nodename,
        "prepared": Path("/etc/sysctl.d/95-matrix-fleet.conf").exists()
        or Path("/var/lib/matrix-fleet/node.json").exists(),
        "node": word("/var/lib/matrix-fleet/node"),
        "kubelet": joined(),
    }


def boot(_wishes: Wishes) -> Any:
    """Return what says that a reboot is due."""
    flags = ("/run/reboot-required", "/var/run/reboot-required")
    return {
        "running": os.uname().release,
        "kernels": [path.name.removeprefix("vmlinuz-") for path in matching("/boot", "vmlinuz-*")],
        "required": any(Path(flag).exists() for flag in flags),
        "packages": (text("/run/reboot-required.pkgs") or "").split(),
        "up_seconds": float(word("/proc/uptime").split()[0]),
    }


def sysctl(wishes: Wishes) -> Any:
    """Return the values that were asked for; null for a setting that this kernel does not have."""
    values = {}
    for name in wishes.get("sysctl", ()):
        path = Path("/proc/sys", *name.split("."))
        values[name] = (text(path) or "").strip() if path.is_file() else None
    return values


def modules(wishes: Wishes) -> Any:
    """Return those of the modules asked for that are loaded or built in."""
    names = _builtin()
    return [name for name in wishes.get("modules", ()) if Path("/sys/module", name).is_dir() or name in names]


def at_boot(wishes: Wishes) -> Any:
    """Return the files by which boot sets the kernel up and loads modules, in order, and which of the modules asked for are built in."""
    # ufw sets its own after systemd has set all others.
    ufw = "/etc/ufw/sysctl.conf"
    return {
        "sysctl": [*_drop_ins("sysctl.d"), [ufw, text(ufw) or ""]],
        "modules": _drop_ins("modules-load.d"),
        "builtin": sorted(set(wishes.get("modules", ())) & _builtin()),
    }


def _builtin() -> set[str]:
    said = text(f"/lib/modules/{os.uname().release}/modules.builtin") or ""
    return {line.rpartition("/")[2].partition(".")[0].replace("-", "_") for line in said.splitlines()}


def _drop_ins(kind: str) -> list[list[str]]:
    """Return paths and texts of systemd's files of a kind: by name, and of two with one name that of the first folder."""
    found: dict[str, Path] = {}
    for folder in ("/etc", "/run", "/usr/local/lib", "/usr/lib"):
        for path in matching(f"{folder}/{kind}", "*.conf"):
            found.setdefault(path.name, path)
    return [[str(found[name]), text(found[name]) or ""] for name in sorted(found)]


def units(wishes: Wishes) -> Any:
    """Return what systemd says of the units asked for, and of all that failed."""
    names = list(wishes.get("units", ()))
    properties = "--property=Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload"
    known = output("systemctl", "show", properties, "--", *names) if names else ""
    failed = output("systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager")
    return {"asked": names, "known": known, "failed": [line.split()[0] for line in failed.splitlines() if line.strip()]}


def users(_wishes: Wishes) -> Any:
    """Return accounts, groups, and the texts of sudo's rules; no password or its digest."""
    texts = {path: text(path) for path in ("/etc/sudoers", *map(str, matching("/etc/sudoers.d", "*")))}
    # sudo reads no file whose name has a dot or ends with a tilde.
    kept = {
        path: said
        for path, said in texts.items()
        if said is not None and "." not in Path(path).name and path[-1] != "~"
    }
    return {
        "accounts": [[each.pw_name, each.pw_uid, each.pw_gid, each.pw_shell] for each in pwd.getpwall()],
        "groups": [[each.gr_name, each.gr_gid, each.gr_mem] for each in grp.getgrall()],
        "sudoers": kept,
        "sudo": installed("sudo"),
    }


def scheduled(_wishes: Wishes) -> Any:
    """Return what lies where the scheduled identity's files are: digest, mode, owner and group of each; null for none."""
    found: dict[str, Any] = {}
    for path in SCHEDULED:
        try:
            seen = os.lstat(path)
        except FileNotFoundError:
            found[path] = None
            continue
        plain = stat.S_ISREG(seen.st_mode)
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest() if plain and seen.st_size <= _MOST_BYTES else ""
        found[path] = [digest, stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid]
    return found


def sshd(_wishes: Wishes) -> Any:
    """Return sshd's settings as they hold for root and for an ordinary user from elsewhere."""
    if not installed("sshd"):
        raise Failed("there is no `sshd`")
    # sshd refuses to tell anything where this folder is missing; systemd makes it with the service.
    said = {}
    for user in ("root", "nobody"):
        said[user] = output("/usr/sbin/sshd", "-T", "-C", f"user={user},host=elsewhere.invalid,addr=203.0.113.1")
    return said


def clock(_wishes: Wishes) -> Any:
    """Return what keeps the clock says of itself; null for a program that is not there."""
    chrony = installed("chronyc")
    tracking = sources = None
    why = ""
    if chrony:
        try:
            tracking, sources = output("chronyc", "-c", "tracking"), output("chronyc", "-c", "sources")
        except Failed as error:
            why = str(error)
    return {
        "chrony": chrony,
        "tracking": tracking,
        "sources": sources,
        "why": why,
        "timesyncd": Path("/run/systemd/timesync/synchronized").exists(),
        "now": time.time(),
    }
