"""What a host holds of the packages, files, units and kernel settings that it should."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING

from model.checkout import HOST_SCRIPTS
from model.errors import ProtocolError
from model.host.hoststate import HostState
from model.host.observed_state import ObservedFile, ObservedState, ObservedUnit, ObservedUser
from remote.facts.sections import new_mark, read_answer, shell_text

if TYPE_CHECKING:
    from nornir.core.inventory import Host

SCRIPT = HOST_SCRIPTS / "state-facts.sh"
_SECONDS = 60.0


def observe(host: Host, desired: HostState) -> ObservedState:
    """
    Look at everything `desired` speaks of in one round trip, as root; nothing is changed.

    Raises `ProtocolError` for an answer that is cut short, and what running a command raises.
    """
    from remote.shell import run

    mark = new_mark()
    script = f"{questions(desired, mark)}\n"
    done = run(host, ("sh", "-s"), stdin=script.encode(), root=True, timeout=_SECONDS).check(host)
    return parse(host.name, mark, done.stdout, desired)


def questions(desired: HostState, mark: str) -> str:
    """Return the shell text that prints the answer which `parse` reads."""
    units = [unit.name for unit in desired.units]
    asked = [
        f"mf_mark={mark}",
        _call("mf_packages", (*desired.packages, *desired.held)),
        *(_call("mf_seen", ("secret" if file.secret or file.opaque else "text", file.path)) for file in desired.files),
        _call("mf_present", desired.absent),
        *(_call("mf_ours", (pattern,)) for pattern in desired.swept),
        _call("mf_units", units),
        _call("mf_sysctls", desired.sysctl),
        _call("mf_modules", desired.modules),
        "mf_swaps",
        _call("mf_users", (*(user.name for user in desired.users), *desired.userless)),
        _call("mf_folders", (folder.path for folder in desired.folders)),
        "mf_section end",
    ]
    return "\n".join((shell_text(SCRIPT), *asked))


def _call(function: str, words: Iterable[str]) -> str:
    return shlex.join((function, *words))


def parse(host: str, mark: str, answer: bytes, desired: HostState) -> ObservedState:
    """
    Read what the script of `questions` printed.

    Raises `ProtocolError` where it is cut short or cannot be understood.
    """
    parts = read_answer(host, "its state", mark, answer)
    try:
        return ObservedState(
            packages=_packages(parts["packages"]),
            held=frozenset(parts["held"].split()),
            files={
                name.removeprefix("file "): _file(body) for name, body in parts.items() if name.startswith("file /")
            },
            present=frozenset(parts["present"].splitlines()) - {""},
            units=_units(parts["units"], [unit.name for unit in desired.units]),
            sysctl=dict(line.split(" ", 1) for line in parts["sysctl"].splitlines() if line.strip()),
            modules=frozenset(parts["modules"].split()),
            swaps=tuple(line for line in parts["swaps"].splitlines() if line.strip()),
            users=dict(_user(line) for line in parts["users"].splitlines() if line.strip()),
            folders=dict(_folder(line) for line in parts["folders"].splitlines() if line.strip()),
        )
    except (ValueError, KeyError, IndexError) as error:
        raise ProtocolError(host, f"the answer about its state cannot be understood: {error}") from error


def _packages(text: str) -> dict[str, str]:
    """Read dpkg-query's lines; only `ii` and a held `hi` are installed."""
    rows = (line.split() for line in text.splitlines() if line.strip())
    return {row[1]: row[2] for row in rows if len(row) == 3 and row[0][1:2] == "i"}


def _file(body: str) -> ObservedFile:
    lines = body.splitlines()
    mode, owner, _ = lines[0].split()
    text = base64.b64decode(lines[2]).decode("utf-8", "replace") if len(lines) > 2 and lines[2] else None
    digest = lines[1].split()[0]
    return ObservedFile(digest, int(mode, 8), owner, text)


def _units(text: str, names: list[str]) -> dict[str, ObservedUnit]:
    """Read `systemctl show`: one paragraph a unit, in the order asked; one nobody knows has no file state."""
    paragraphs = [part for part in text.strip().split("\n\n") if part.strip()]
    if names and not paragraphs:
        raise ValueError(f"systemd does not answer for {', '.join(names)}; does it run there?")
    if len(paragraphs) != len(names):
        raise ValueError(f"{len(names)} units were asked for, {len(paragraphs)} were answered for")
    properties = [dict(line.split("=", 1) for line in part.splitlines() if "=" in line) for part in paragraphs]
    return {
        name: ObservedUnit(shown["UnitFileState"], shown["ActiveState"], shown["NeedDaemonReload"] == "yes")
        for name, shown in zip(names, properties, strict=True)
    }


def _user(line: str) -> tuple[str, ObservedUser]:
    """Read passwd's line, then the password's state, then the groups; number 0 is nobody's but root's."""
    entry, state, groups = line.split("|")
    name, _, number, _, _, home, shell = entry.split(":")
    return name, ObservedUser(home, shell, frozenset(groups.split()), state == "L" and number != "0")


def _folder(line: str) -> tuple[str, tuple[int, str]]:
    mode, owner, path = line.split(" ", 2)
    return path, (int(mode, 8), owner)
