"""Long answers that come packed, so that they get through where many packets are lost."""

from __future__ import annotations

import zlib

from model.errors import ProtocolError

_MAGIC = b"\x1f\x8b\x08"
# Far above what any host's rules take.
_MOST_BYTES = 1 << 28


def packing(command: str) -> str:
    """Return a line of shell that packs what a command prints; as it is where the host has no gzip."""
    return f"if command -v gzip > /dev/null; then {command} | gzip -1; else {command}; fi\n"


def unpacked(host: str, what: str, answer: bytes) -> bytes:
    """Return what the command printed; raises `ProtocolError` where the packed answer is cut short or damaged."""
    start = answer.find(_MAGIC)
    if start < 0:
        return answer
    unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        text = unpacking.decompress(answer[start:], _MOST_BYTES)
    except zlib.error as error:
        raise ProtocolError(host, f"the answer about {what} is damaged: {error}") from error
    if not unpacking.eof:
        raise ProtocolError(host, f"the answer about {what} is cut short")
    return text
