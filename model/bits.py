"""Which ports are in a set: sets of ports 0..65535 as Python integers, bit p standing for port p."""

from __future__ import annotations

import binascii
import zlib
from collections.abc import Iterable, Sequence

PORTS = 65536
BYTES = PORTS // 8


def from_intervals(intervals: Iterable[tuple[int, int]]) -> int:
    """
    Return the set of all ports of closed intervals (lo, hi), in any order, overlapping or not.

    Raises ValueError for an interval that is empty or leaves 0..65535.
    """
    bits = 0
    for lo, hi in intervals:
        if not 0 <= lo <= hi < PORTS:
            raise ValueError(f"{lo}-{hi} is no interval of ports")
        bits |= (1 << hi + 1) - (1 << lo)
    return bits


def from_ports(ports: Iterable[int]) -> int:
    """
    Return the set of the given ports; raises ValueError for a port outside 0..65535.
    """
    marks = bytearray(BYTES)
    for port in ports:
        if not 0 <= port < PORTS:
            raise ValueError(f"{port} is no port")
        marks[port >> 3] |= 1 << (port & 7)
    return int.from_bytes(marks, "little")


def to_intervals(bits: int) -> list[tuple[int, int]]:
    """
    Return the fewest closed intervals that make up the set, ascending.
    """
    digits = f"{bits:b}"[::-1] + "0"
    intervals = []
    lo = digits.find("1")
    while lo >= 0:
        end = digits.find("0", lo)
        intervals.append((lo, end - 1))
        lo = digits.find("1", end)
    return intervals


def to_ports(bits: int) -> list[int]:
    """
    Return the ports of the set, ascending.
    """
    return [port for lo, hi in to_intervals(bits) for port in range(lo, hi + 1)]


def count(bits: int) -> int:
    """
    Return how many ports the set has.
    """
    return bits.bit_count()


def to_marks(bits: int) -> bytearray:
    """
    Return the set as 8,192 bytes, port p being bit p % 8 of byte p // 8.
    """
    return bytearray(bits.to_bytes(BYTES, "little"))


def from_marks(marks: bytes | bytearray) -> int:
    """
    Return the set that `to_marks` wrote.
    """
    return int.from_bytes(marks, "little")


def encode(bits: int) -> str:
    """
    Return the set as text for a message: zlib, then base64.
    """
    raw = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
    return binascii.b2a_base64(zlib.compress(raw, 1), newline=False).decode("ascii")


def decode(text: str) -> int:
    """
    Return the set that `encode` wrote.

    Raises ValueError for anything else; never unpacks more than 8,192 bytes, whatever the text claims.
    """
    unpacking = zlib.decompressobj()
    try:
        raw = unpacking.decompress(binascii.a2b_base64(text.encode("ascii"), strict_mode=True), BYTES)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"not a set of ports: {error}") from error
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("not a set of ports: cut off, or longer than 65,536 ports")
    return int.from_bytes(raw, "little")


class Pool:
    """The sets of one message, each written once; rows refer to them by index."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}
        self.texts: list[str] = []

    def add(self, bits: int) -> int:
        """Return the index of this set in `texts`, adding it when it is new."""
        place = self._places.setdefault(bits, len(self.texts))
        if place == len(self.texts):
            self.texts.append(encode(bits))
        return place


def unpool(texts: Sequence[str]) -> list[int]:
    """
    Return the sets of a message in the order of their indexes; raises ValueError like `decode`.
    """
    return [decode(text) for text in texts]
