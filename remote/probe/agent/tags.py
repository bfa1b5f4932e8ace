"""Which source sent a probe, to which address and port: the numbers that probes carry.

Both ends compute a tag from the run's key, so no list of tags ever travels. Within a stream the tag of port p is
(scale * p + offset) mod PRIME with secret scale and offset: one multiplication a packet, no table, and it can be turned
round, which finds the probed port after a port translation.
"""

from __future__ import annotations

import hashlib

# The greatest prime below 2**32: a tag fits a TCP sequence number, and tag + 1 does not wrap.
PRIME = 4294967291


class Tags:
    """The tags of one stream; `check` stands beside the tag where there is room for it (UDP) and names the stream."""

    __slots__ = ("check", "inverse", "offset", "scale")

    def __init__(self, key: bytes, source: str, address: str, protocol: str) -> None:
        digest = hashlib.sha256(b"\0".join((key, source.encode(), address.encode(), protocol.encode()))).digest()
        self.scale = int.from_bytes(digest[:8], "big") % (PRIME - 1) + 1
        self.offset = int.from_bytes(digest[8:16], "big") % PRIME
        self.check = int.from_bytes(digest[16:20], "big")
        self.inverse = pow(self.scale, -1, PRIME)

    def tag(self, port: int) -> int:
        """Return the tag of a port."""
        return (self.scale * port + self.offset) % PRIME

    def port(self, tag: int) -> int:
        """Return the number whose tag this is; it is no port when it is above 65,535."""
        return (tag - self.offset) * self.inverse % PRIME


def magic(key: bytes) -> int:
    """
    Return the 32 bits by which every UDP probe of a run is known.
    """
    return int.from_bytes(hashlib.sha256(key + b"\0magic").digest()[:4], "big")
