"""Make a host hold the packages, files, units and kernel settings that it should."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from model.checkout import HOST_SCRIPTS
from model.errors import CommandFailed, HostError
from model.host.hoststate import File, HostState
from model.host.state_change import StateChange
from model.host.state_plan import plan
from remote.command import first_lines
from remote.facts.hoststate import observe

if TYPE_CHECKING:
    from nornir.core.inventory import Host

SCRIPT = HOST_SCRIPTS / "state-apply.sh"
SECONDS = 300.0
_OF_APT = "/etc/apt/"
# Where a package is to change its version, it may be held, and the wanted version older.
_REPLACING = ("--allow-change-held-packages", "--allow-downgrades")
_OF_PACKAGES = ("could not install ", "could not read the package sources")
_PACKAGES_NEXT = (
    "look at the host's sources of packages: in site.yaml `servers.mirror`, `kubernetes.repositories` with their "
    "keys, and "
    "whether they have `kubernetes.version` and `kubernetes.containerd.version`"
)
_UNIT_FOLDERS = ("/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")


@dataclass(frozen=True, slots=True)
class Enforced:
    """What was changed on a host, or would be."""

    change: StateChange
    applied: bool


def enforce(host: Host, desired: HostState, *, dry_run: bool, timeout: float = SECONDS) -> Enforced:
    """
    Bring the host to the desired state, and look again: success is what is there afterwards.

    Raises `HostError` where something of it still differs, and what running a command raises.
    """
    change = plan(desired, observe(host, desired))
    if dry_run or not change:
        return Enforced(change, False)
    carry_out(host, change, timeout)
    left = plan(desired, observe(host, desired))
    if left:
        raise HostError(host.name, f"still differs after the change:\n{left.diff}", "look at the host's journal")
    return Enforced(change, True)


def carry_out(host: Host, change: StateChange, timeout: float = SECONDS) -> None:
    """
    Apply a change in one session, in an order in which nothing starts before what it reads is there.

    Raises `CommandFailed` naming the step.
    """
    from remote.shell import run

    done = run(host, ("sh", "-s"), stdin=script(change).encode(), root=True, timeout=timeout)
    if done.exit_code:
        lines = done.stderr.decode(errors="replace").splitlines()
        step = next((line for line in reversed(lines) if line.startswith("could not ")), "")
        if step.startswith(_OF_PACKAGES):
            words = dict.fromkeys(line for line in lines if line.startswith(("E: ", "W: ")))
            raise CommandFailed(host.name, (step,), done.exit_code, "; ".join(words)[:600], _PACKAGES_NEXT)
        detail = "; ".join(lines[-6:])[-600:] if step else first_lines(done.stderr)
        raise CommandFailed(host.name, (step or "sh",), done.exit_code, detail, "look at the host's journal")


@cache
def _functions() -> str:
    return SCRIPT.read_text("utf-8")


def script(change: StateChange) -> str:
    """Return the shell text that carries a change out; secrets are in it, so it travels by standard input only."""
    return "\n".join((_functions(), *_steps(change), ""))


def _steps(change: StateChange) -> Iterator[str]:
    # What apt is to read lies there before it is asked for packages.
    of_apt = [file for file in change.files if file.path.startswith(_OF_APT)]
    yield from _put(of_apt)
    yield from _remove([path for path in change.absent if path.startswith(_OF_APT)])
    if change.packages:
        yield _call("mf_install", (*(_REPLACING if change.replaced else ()), *change.packages))
    if change.swapoff:
        yield "mf_swapoff"
    # Files and folders may be theirs.
    yield from (_call("mf_user", (user.name, user.home, user.shell, user.comment)) for user in change.users)
    # With a digit more chmod takes from a folder also what it inherited.
    yield from (_call("mf_folder", (folder.path, f"{folder.mode:05o}", folder.owner)) for folder in change.folders)
    yield from _put([file for file in change.files if file not in of_apt])
    yield from _remove([path for path in change.absent if not path.startswith(_OF_APT)])
    if change.modules:
        yield _call("mf_modprobe", change.modules)
    yield from (_call("mf_sysctl", pair) for pair in change.sysctl.items())
    if change.held:
        yield f"apt-mark hold {shlex.join(change.held)} >/dev/null || mf_fail 'hold packages'"
    yield from _unit_steps(change)
    if change.userless:
        yield _call("mf_userless", change.userless)


def _unit_steps(change: StateChange) -> Iterator[str]:
    changed = (*(file.path for file in change.files), *change.absent)
    if change.packages or any(path.startswith(_UNIT_FOLDERS) for path in changed):
        yield "systemctl daemon-reload || mf_fail 'reload units'"
    for verb, units in (
        ("disable", change.disable),
        ("stop", change.stop),
        ("enable", change.enable),
        ("restart", change.restart),
        ("reload-or-restart", change.reload),
        ("start", change.start),
    ):
        if units:
            yield _call("mf_systemctl", (verb, *units))


def _put(files: Iterable[File]) -> Iterator[str]:
    for file in files:
        coded = base64.encodebytes(file.text.encode()).decode("ascii")
        yield f"cat >\"$mf_work\"/text <<'mf-end'\n{coded}mf-end"
        yield _call("mf_put", (file.path, f"{file.mode:04o}", file.owner, "text"))


def _remove(paths: Sequence[str]) -> Iterator[str]:
    if paths:
        yield _call("mf_remove", paths)


def _call(function: str, words: Iterable[str]) -> str:
    return shlex.join((function, *words))
