"""A host's firewall session at the wire: what is written to it is kept, and each command is answered as a test says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from model.packets.sockets import SshPeer, parse_listeners, parse_peer
from model.ufw.facts import FirewallFacts
from model.ufw.foreign_rules import Rulesets
from model.ufw.state import AFTER, BEFORE, CONF, DEFAULTS, USER
from tests.model.ufw.ufw_data import file, saved

_ASKED = re.compile(rb"(?P<command>[^\n]*)\nprintf '[^']*' (?P<mark>mf-[0-9a-f]+) \$\?\n")
LISTENERS = (
    'tcp LISTEN 0      128    0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=30,fd=3))\n'
    "udp UNCONN 0      0    127.0.0.53%lo:53  0.0.0.0:*\n"
    'tcp LISTEN 0      128       [::]:2222    [::]:* users:(("sshd",pid=30,fd=4),("systemd",pid=1,fd=50))\n'
    "tcp LISTEN 0      128          *:10250      *:*\n"
)
CONNECTION = "SSH_CONNECTION=10.20.0.10 51234 10.20.1.31 22"


@dataclass
class Script:
    """A stream that answers: `answers` by a word of the command, as (exit code, text); 0 and nothing for the rest."""

    answers: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    written: bytearray = field(default_factory=bytearray)
    asked: list[str] = field(default_factory=list)
    dies_at: str = ""
    hangs_at: str = ""
    closed: bool = False
    _lines: list[bytes] = field(default_factory=list)

    def write(self, data: bytes) -> None:
        self.written += data
        for match in _ASKED.finditer(data):
            command = match["command"].decode()
            self.asked.append(command)
            if self.dies_at and self.dies_at in command:
                self._lines = [b"died"]
            elif not (self.hangs_at and self.hangs_at in command):
                code, text = next((answer for word, answer in self.answers.items() if word in command), (0, ""))
                self._lines += [*text.encode().split(b"\n"), b"%s %d" % (match["mark"], code)]

    def read_line(self, timeout: float) -> bytes:
        if not self._lines:
            raise TimeoutError(f"nothing within {timeout:g} s")
        if self._lines == [b"died"]:
            raise EOFError("connection lost")
        return self._lines.pop(0)

    def read_exactly(self, count: int, timeout: float) -> bytes:
        raise NotImplementedError

    def complaint(self) -> str:
        return "it complains"

    def exit_code(self, timeout: float) -> int | None:
        return 0 if timeout else None

    def end_input(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True


def facts(
    user: str | None = None, connection: str = CONNECTION, *, running: bool = True, peer: SshPeer | None = None
) -> FirewallFacts:
    """Return a host that holds the golden rules, or has ufw installed and stopped."""
    files = {
        **{USER[version]: file("user", version) for version in (4, 6)},
        **{BEFORE[version]: file("before", version) for version in (4, 6)},
        **{AFTER[version]: file("after", version) for version in (4, 6)},
        DEFAULTS: 'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\n',
        CONF: f"ENABLED={'yes' if running else 'no'}\nLOGLEVEL=low\n",
    }
    if user is not None:
        files[USER[4]] = user
    tables = {version: saved(version) if running else "" for version in (4, 6)}
    return FirewallFacts(
        installed=True,
        version="0.36.2-1",
        files=files,
        rulesets=Rulesets(tables, {4: "", 6: ""}, ""),
        listeners=parse_listeners(LISTENERS),
        addresses=(),
        conntrack=(0, 0),
        python3="/usr/bin/python3.11",
        os_release={},
        unit_enabled=True,
        ipv6=True,
        holder="",
        peer=peer or parse_peer(connection),
    )
