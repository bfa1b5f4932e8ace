"""Changes of names of both views."""

from __future__ import annotations

import struct
from collections.abc import Callable
from ipaddress import ip_address

from tests.checks.changes import Case, Sections, both, put


def wire_answer(name: str, address: str, kind: int = 1) -> str:
    """Return a name server's packet, as hexadecimal digits."""
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    question = labels + b"\0" + struct.pack("!2H", kind, 1)
    record = b"\xc0\x0c" + struct.pack("!2HIH", kind, 1, 60, 4) + ip_address(address).packed
    return (struct.pack("!6H", 9, 0x8180, 1, 1, 0, 0) + question + record).hex()


def answered(server: str, name: str, address: str) -> Callable[[Sections], None]:
    """Return a change by which a name server leads a name elsewhere."""

    def change(sections: Sections) -> None:
        kept = [packet for packet in sections["names"]["answers"][server] if not _of(name, packet)]
        sections["names"]["answers"][server] = [*kept, wire_answer(name, address)]

    return change


def unheard(server: str, name: str) -> Callable[[Sections], None]:
    """Return a change by which a name server says nothing of a name."""

    def change(sections: Sections) -> None:
        packets = sections["names"]["answers"][server]
        sections["names"]["answers"][server] = [packet for packet in packets if not _of(name, packet)]

    return change


def _of(name: str, packet: str) -> bool:
    """Return whether a packet, in hexadecimal digits, is about the name; its header has 12 bytes."""
    return packet[24:].startswith(_asked(name))


def _asked(name: str) -> str:
    return "".join(f"{len(label):02x}{label.encode().hex()}" for label in name.split(".")) + "00"


CASES = (
    Case("dns/main", "cp-1", answered("10.20.1.1", "chat.example.test", "198.51.100.9"), "198.51.100.9"),
    Case(
        "dns/main",
        "cp-1",
        both(put("names", "answers", "10.20.1.1", to=[]), put("names", "why", to={"10.20.1.1": "timed out"})),
        "does not answer",
    ),
    Case(
        "dns/main", "cp-1", unheard("10.20.1.1", "chat.example.test"), "10.20.1.1 gives no answer for chat.example.test"
    ),
    Case("dns/li", "li-1", answered("10.20.2.1", "keyvault.example.test", "10.20.2.99"), "10.20.2.99"),
    Case("dns/li-only", "cp-1", answered("10.20.1.1", "keyvault.example.test", "10.20.2.11"), "keyvault"),
    Case("dns/public", "vantage-1", answered("198.51.100.1", "matrix.example.test", "198.51.100.9"), "198.51.100.9"),
    Case("dns/li-only", "vantage-1", answered("198.51.100.1", "admin-li.example.test", "10.20.2.11"), "admin-li"),
)
