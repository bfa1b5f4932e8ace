"""Questions to a name server and its answers as bytes (RFC 1035), without any network."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from model.base import Address

TYPES = {4: 1, 6: 28}
_VERSIONS = {number: version for version, number in TYPES.items()}
_INTERNET = 1
_RECURSE = 0x0100
_NO_SUCH_NAME = 3
_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!HHIH")
_COMPRESSED = 0xC0


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """
    What a server says of a name in one IP version. `code` is DNS's own: 0 no error, 3 no such name, else it could not
    tell.
    """

    name: str
    version: int
    code: int
    addresses: tuple[Address, ...]

    @property
    def certain(self) -> bool:
        """True when the server told addresses, or that there are none."""
        return self.code in (0, _NO_SUCH_NAME)


def question(number: int, name: str, version: int) -> bytes:
    """
    Return the packet that asks for a name's addresses of IP `version`; `number` (16 bits) comes back with the answer.
    """
    labels = b"".join(bytes((len(label),)) + label.encode("ascii") for label in name.strip(".").split("."))
    return _HEADER.pack(number, _RECURSE, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", TYPES[version], _INTERNET)


def answers(data: bytes) -> tuple[DnsAnswer, ...]:
    """
    Read packets that follow each other without anything in between.

    Raises ValueError for what is no answer to an address question.
    """
    return tuple(_messages(data))


def _messages(data: bytes) -> Iterator[DnsAnswer]:
    start = 0
    while start < len(data):
        try:
            answer, start = _message(data, start)
        except (struct.error, IndexError) as error:
            raise ValueError(f"no whole answer of a name server: {error}") from error
        yield answer


def _message(data: bytes, start: int) -> tuple[DnsAnswer, int]:
    _number, flags, questions, *counts = _HEADER.unpack_from(data, start)
    if questions != 1:
        raise ValueError(f"an answer with {questions} questions")
    name, place = _name(data, start, start + _HEADER.size)
    kind, _ = struct.unpack_from("!2H", data, place)
    if kind not in _VERSIONS:
        raise ValueError(f"an answer to a question of type {kind}")
    place += 4
    addresses: list[Address] = []
    for number in range(sum(counts)):
        _, place = _name(data, start, place)
        record, _class, _ttl, length = _RECORD.unpack_from(data, place)
        place += _RECORD.size
        if place + length > len(data):
            raise IndexError("a record is cut short")
        # Only the first section answers; the others tell who else might.
        if number < counts[0] and record == kind:
            addresses.append(ip_address(data[place : place + length]))
        place += length
    return DnsAnswer(name, _VERSIONS[kind], flags & 0x0F, tuple(sorted(addresses, key=str))), place


def _name(data: bytes, start: int, place: int) -> tuple[str, int]:
    """Read a name at `place`, whose compression counts from `start`; return it and the place behind it."""
    labels: list[str] = []
    end = 0
    while size := data[place]:
        if size & _COMPRESSED == _COMPRESSED:
            end = end or place + 2
            earlier = start + (struct.unpack_from("!H", data, place)[0] & 0x3FFF)
            if earlier >= place:
                raise ValueError("a name that never ends")
            place = earlier
        else:
            labels.append(data[place + 1 : place + 1 + size].decode("ascii", "replace"))
            place += 1 + size
    return ".".join(labels).lower(), end or place + 1
