"""The way through jump hosts: every one of them that `ssh` would pass, each with a recorded key only."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from model.base import in_url
from model.errors import Unreachable
from model.site.known_hosts import KnownKey, read
from remote.ssh_config import Hop, SshSettings, command_argv, destination, lookup, parse_hops

HOP_CONNECT_SECONDS = 8
_SSH = re.compile(r"(^|[\s/;|&(`'\"])(ssh|autossh|sshpass|dbclient|plink)($|[\s;|&)`'\"])")
# Options of ssh that say nothing of keys and files: with those alone a ProxyCommand is a jump host.
_PLAIN = ("-q", "-T", "-x", "-a", "-4", "-6")
_USUAL_PORT = 22


def through(
    name: str, config: Path, settings: SshSettings, keys: Sequence[Path], known_hosts: Path
) -> tuple[tuple[str, ...], str]:
    """
    Return the command whose streams are a connection to a destination of ssh_config, and in words what it goes through;
    nothing where it is reached directly.

    Raises `Unreachable` for host `name` where a hop would be passed whose key nobody here can check.
    """
    hops = hops_to(name, config, settings)
    if hops:
        target = Hop(settings.address, settings.port, None)
        return jump_argv(name, config, hops, target, keys, known_hosts), ",".join(map(str, hops))
    if settings.proxy_command and not _jump_of(name, settings):
        return command_argv(name, settings), settings.proxy_command.split()[0]
    return (), ""


@dataclass(frozen=True, slots=True)
class HopWay:
    """
    A jump host: what ssh_config says of it, the command whose streams are a connection to it (empty: it is reached
    directly), and in words what that goes through.
    """

    settings: SshSettings
    proxy: tuple[str, ...]
    via: str


def ways_to_hops(
    name: str, config: Path, settings: SshSettings, keys: Sequence[Path], known_hosts: Path
) -> tuple[HopWay, ...]:
    """
    Return the way to each jump host before a destination, nearest to the controller first; raises as `through` does.
    """
    hops = hops_to(name, config, settings)
    ways = []
    for index, hop in enumerate(hops):
        there = lookup(name, config, hop)
        proxy: tuple[str, ...] = ()
        if before := hops[:index]:
            proxy = jump_argv(name, config, before, Hop(there.address, there.port, None), keys, known_hosts)
        elif there.proxy_command and not _SSH.search(there.proxy_command):
            proxy = command_argv(name, there)
        ways.append(HopWay(there, proxy, ",".join(map(str, hops[:index]))))
    return tuple(ways)


def hops_to(name: str, config: Path, settings: SshSettings, trail: tuple[str, ...] = ()) -> tuple[Hop, ...]:
    """
    Return all jump hosts before a destination, nearest to the controller first: those of its ProxyJump, and before the
    first of them those that ssh_config puts before that one.
    """
    here = known_as(settings.address, settings.port)
    if here in trail:
        loop = " through ".join((*trail, here))
        raise Unreachable(name, f"its jump hosts lead in a circle: {loop}", "correct ProxyJump in the ssh_config")
    hops = parse_hops(name, settings.proxy_jump) or _jump_of(name, settings)
    if not hops:
        return ()
    nearest = lookup(name, config, hops[-1])
    if (nearest.address, nearest.port) == (settings.address, settings.port):
        # The jump host is itself one of the fleet: its pattern in ssh_config matches it as well.
        return ()
    return (*hops_to(name, config, lookup(name, config, hops[0]), (*trail, here)), *hops)


def known_as(address: str, port: int) -> str:
    """Return the name under which known_hosts files keep a host's key."""
    return address if port == _USUAL_PORT else f"[{address}]:{port}"


def jump_argv(
    name: str, config: Path, hops: Sequence[Hop], target: Hop, keys: Sequence[Path], known_hosts: Path
) -> tuple[str, ...]:
    """Return the ssh command whose streams are a connection to `target`, through every hop and through no other."""
    *before, last = hops
    settings = lookup(name, config, last)
    options = [
        "BatchMode=yes",
        *_keys_only(settings, known_hosts),
        f"ConnectTimeout={HOP_CONNECT_SECONDS}",
        "ClearAllForwardings=yes",
    ]
    if before:
        here = Hop(settings.address, settings.port, None)
        inner = jump_argv(name, config, before, here, keys, known_hosts)
        options.append("ProxyCommand=" + shlex.join(inner).replace("%", "%%"))
    elif settings.proxy_command and not _SSH.search(settings.proxy_command):
        options.append(f"ProxyCommand={settings.proxy_command}")
    else:
        options.append("ProxyJump=none")
    return (
        "ssh",
        "-T",
        "-F",
        str(config),
        *(word for option in options for word in ("-o", option)),
        *(word for key in keys for word in ("-i", str(key))),
        "-W",
        f"{in_url(target.address)}:{target.port or _USUAL_PORT}",
        *destination(last),
    )


def _keys_only(settings: SshSettings, known_hosts: Path) -> list[str]:
    """
    Return the options by which ssh takes a recorded key of a hop and nothing else for an answer, whatever ssh_config
    says.

    A key that the site records decides alone. Where it records none, the files that ssh_config names count, unless
    ssh_config lets keys into them that nobody was asked about.
    """
    files = [str(known_hosts)]
    name = known_as(settings.address, settings.port)
    alone = _recorded(known_hosts, name) or not settings.asks
    if not alone:
        files += settings.known_hosts
    quoted = " ".join(f'"{path}"' for path in files).replace("%", "%%")
    options = ["StrictHostKeyChecking=yes", f"UserKnownHostsFile={quoted}", "VerifyHostKeyDNS=no"]
    # A connection that somebody else has opened was checked by somebody else's rules.
    options += ["ControlMaster=no", "ControlPath=none", "UpdateHostKeys=no", "NoHostAuthenticationForLocalhost=no"]
    if alone:
        options += ["GlobalKnownHostsFile=/dev/null", f"HostKeyAlias={name}"]
    # Not every ssh knows these; one that names them does.
    if settings.known_hosts_command:
        options.append("KnownHostsCommand=none")
    if settings.key_by_kerberos:
        options.append("GSSAPIKeyExchange=no")
    return options


def _recorded(path: Path, name: str) -> bool:
    try:
        seen = path.stat()
    except FileNotFoundError:
        return False
    return any(key.is_for(name) for key in _lines(path, seen.st_mtime_ns, seen.st_size))


@lru_cache(maxsize=4)
def _lines(path: Path, _changed: int, _size: int) -> tuple[KnownKey, ...]:
    return read(path.read_text("utf-8", errors="surrogateescape"))[0]


def _jump_of(name: str, settings: SshSettings) -> tuple[Hop, ...]:
    """
    Return the jump host that a ProxyCommand such as `ssh -W %h:%p bastion` is; nothing for a command without ssh.

    Raises `Unreachable` for any other use of ssh: what keys it would take, nobody here can tell.
    """
    if not _SSH.search(settings.proxy_command):
        return ()
    hop = _plain_jump(settings.proxy_command)
    if hop is None:
        raise Unreachable(
            name,
            f"its ProxyCommand `{settings.proxy_command}` goes through a host whose key would not be checked here",
            "write it as ProxyJump, and that host's key, port and user in a `Host` of its own, in the ssh_config",
        )
    return (hop,)


def _plain_jump(command: str) -> Hop | None:
    try:
        program, *words = shlex.split(command.removeprefix("exec "))
    except ValueError:
        return None
    values: dict[str, str] = {}
    plain: list[str] = []
    if program.rpartition("/")[2] != "ssh":
        return None
    while words:
        word = words.pop(0)
        flag, value = word[:2], word[2:]
        if flag in ("-W", "-l", "-p"):
            values[flag] = value or (words.pop(0) if words else "")
        elif word != "--" and word not in _PLAIN:
            plain.append(word)
    target, port = values.pop("-W", ""), values.get("-p", "")
    if target not in ("%h:%p", "[%h]:%p") or len(plain) != 1 or plain[0].startswith("-") or "%" in plain[0]:
        return None
    user, at, address = plain[0].rpartition("@")
    if (port and not port.isdigit()) or not address or re.search(r"[^A-Za-z0-9_.:@-]", plain[0]):
        return None
    return Hop(address, int(port) if port else None, values.get("-l") or (user if at else None))
