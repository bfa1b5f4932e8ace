"""What the user's ssh_config says of a host."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from model.errors import Unreachable

LOOKUP_SECONDS = 5.0
# What OpenSSH itself lets into the words it hands to a proxy command's shell.
_HARMLESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:%@+-]*|[A-Fa-f0-9:]+(%[A-Za-z0-9._-]+)?")


@dataclass(frozen=True, slots=True)
class Hop:
    """A destination as a person writes it; what is None is left to ssh_config."""

    address: str
    port: int | None
    username: str | None

    def __str__(self) -> str:
        user = f"{self.username}@" if self.username else ""
        return f"{user}{self.address}" + (f" port {self.port}" if self.port else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSettings:
    """
    ssh_config's word on one destination, patterns and defaults applied. Key files are those that exist.

    `asks`: a key that is not recorded is refused, or recorded once a person has agreed. `known_hosts_command`,
    `key_by_kerberos`: other ways to believe a host are on.
    """

    address: str
    port: int
    username: str
    key_files: tuple[Path, ...]
    identities_only: bool
    known_hosts: tuple[str, ...]
    proxy_jump: str
    proxy_command: str
    asks: bool = True
    known_hosts_command: bool = False
    key_by_kerberos: bool = False


def lookup(name: str, config: Path, hop: Hop) -> SshSettings:
    """
    Ask OpenSSH itself (`ssh -G`), so that Include, Match and tokens mean what they mean to `ssh`.

    Raises `Unreachable` for host `name` when ssh is missing or refuses the file.
    """
    try:
        return _lookup(config, config.stat().st_mtime_ns, hop)
    except FileNotFoundError as error:
        what = f"{config} does not exist" if error.filename == str(config) else "the command `ssh` is missing"
        raise Unreachable(name, what, "name an existing file, or install openssh-client") from None
    except subprocess.TimeoutExpired:
        raise Unreachable(name, f"`ssh -G` did not answer within {LOOKUP_SECONDS:g} s", f"look at {config}") from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise Unreachable(
            name, f"ssh refuses {config}: {reason[0]}", f"try `ssh -G -F {config} {hop.address}`"
        ) from None


@lru_cache(maxsize=4096)
def _lookup(config: Path, _changed: int, hop: Hop) -> SshSettings:
    try:
        return parse(_ask(config, hop))
    except subprocess.CalledProcessError as error:
        if b"jumphost loop" not in error.stderr:
            raise
        # A pattern such as `Host 10.0.*` sends the jump host through itself; ssh gives up there, we go straight.
        return parse(_ask(config, hop, "-o", "ProxyJump=none"))


def _ask(config: Path, hop: Hop, *options: str) -> str:
    argv = ("ssh", "-T", "-G", "-F", str(config), *options, *destination(hop))
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=LOOKUP_SECONDS, check=True)
    return done.stdout.decode(errors="replace")


def parse(text: str) -> SshSettings:
    """Read the lines of `ssh -G`; a keyword may come several times, in order of preference."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        values.setdefault(keyword, []).append(value)

    def first(keyword: str, default: str = "") -> str:
        return values.get(keyword, [default])[0]

    keys = (Path(value).expanduser() for value in values.get("identityfile", []))
    return SshSettings(
        address=first("hostname"),
        port=int(first("port", "22")),
        username=first("user"),
        key_files=tuple(key for key in keys if key.is_file()),
        identities_only=first("identitiesonly") == "yes",
        known_hosts=tuple(shlex.split(first("userknownhostsfile"))),
        proxy_jump="" if first("proxyjump") == "none" else first("proxyjump"),
        proxy_command="" if first("proxycommand") == "none" else first("proxycommand"),
        asks=first("stricthostkeychecking", "ask") in ("ask", "yes", "true"),
        known_hosts_command=first("knownhostscommand", "none") != "none",
        key_by_kerberos=first("gssapikeyexchange", "no") == "yes",
    )


def parse_hops(name: str, text: str) -> tuple[Hop, ...]:
    """Split ProxyJump's `[user@]host[:port],...`, nearest to the controller first."""
    hops = []
    for word in (part.strip().removeprefix("ssh://") for part in text.split(",") if part.strip()):
        match = re.fullmatch(
            r"(?:(?P<user>[^@]+)@)?(?:\[(?P<bracketed>[^]]+)\]|(?P<plain>[^:\[\]]+))(?::(?P<port>\d+))?", word
        )
        if not match:
            raise Unreachable(name, f"ProxyJump `{word}` is not [user@]host[:port]", "correct the ssh_config")
        port = int(match["port"]) if match["port"] else None
        hops.append(Hop(match["bracketed"] or match["plain"], port, match["user"]))
    return tuple(hops)


def command_argv(name: str, settings: SshSettings) -> tuple[str, ...]:
    """
    Return the user's own ProxyCommand with its tokens filled in, run as OpenSSH runs it: by a shell.

    Raises `Unreachable` when a value could mean something to that shell.
    """
    tokens = {
        "%%": "%",
        "%h": settings.address,
        "%n": settings.address,
        "%p": str(settings.port),
        "%r": settings.username,
    }
    for value in (settings.address, settings.username):
        if not _HARMLESS.fullmatch(value):
            raise Unreachable(name, f"`{value}` cannot be handed to a ProxyCommand", "use plain host and user names")
    line = re.sub(r"%[%hnpr]", lambda token: tokens[token[0]], settings.proxy_command)
    return ("/bin/sh", "-c", line if line.startswith("exec ") else f"exec {line}")


def destination(hop: Hop) -> tuple[str, ...]:
    """Return ssh's words for a destination."""
    user = ("-l", hop.username) if hop.username else ()
    port = ("-p", str(hop.port)) if hop.port else ()
    return (*user, *port, "--", hop.address)
