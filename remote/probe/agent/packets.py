"""How probes look on the wire."""

from __future__ import annotations

import struct

# Source port, destination port, sequence, acknowledgement, length and flags, window, checksum, urgent, MSS option.
SYN = struct.Struct("!HHIIHHHHI")
SYN_FLAGS = 6 << 12 | 0x02
WINDOW = 64240
MSS = {4: 0x020405B4, 6: 0x020405A0}

PROBE = struct.Struct("!III")
STUN = struct.Struct("!HHIIII")
STUN_BINDING = 0x0001
STUN_COOKIE = 0x2112A442
NTP = struct.Struct("!B11xI24xII")
NTP_CLIENT = 0x23
DNS = struct.Struct("!HHHHHHB24sB7sBHH")
PAIR = struct.Struct("!II")


def syn_sum(source: bytes, destination: bytes, source_port: int) -> int:
    """
    Return the part of a SYN's checksum that is the same for every port: pseudo header (RFC 9293, 8200), fixed fields.
    """
    pseudo = source + destination
    words: tuple[int, ...] = struct.unpack(f"!{len(pseudo) // 2}H", pseudo)
    option = MSS[4 if len(source) == 4 else 6]
    return sum(words) + 6 + SYN.size + source_port + SYN_FLAGS + WINDOW + (option >> 16) + (option & 0xFFFF)


def syn_checksum(partial: int, port: int, sequence: int) -> int:
    """
    Return the checksum of a SYN to this port with this sequence number.
    """
    total = partial + port + (sequence >> 16) + (sequence & 0xFFFF)
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def payload(request: str, run: int, check: int, tag: int) -> bytes:
    """
    Return a UDP probe's payload: the bare tag, or a well-formed request that carries it and changes nothing.

    `request` is "", stun (binding, RFC 8489), ntp (client, RFC 5905) or dns (a name below .invalid, no recursion).
    """
    if request == "":
        return PROBE.pack(run, check, tag)
    if request == "stun":
        return STUN.pack(STUN_BINDING, 0, STUN_COOKIE, check, tag, run)
    if request == "ntp":
        return NTP.pack(NTP_CLIENT, run, check, tag)
    if request == "dns":
        label = f"{run:08x}{check:08x}{tag:08x}".encode()
        return DNS.pack(tag & 0xFFFF, 0, 1, 0, 0, 0, 24, label, 7, b"invalid", 0, 1, 1)
    raise ValueError(f"no UDP request is called {request!r}")


def read_payload(data: bytes, run: int) -> tuple[int, int] | None:
    """
    Return (check, tag) of a UDP probe's payload, or None when it is none of this run's.
    """
    mark = run.to_bytes(4, "big")
    if len(data) == PROBE.size and data[:4] == mark:
        return PAIR.unpack_from(data, 4)
    if len(data) == STUN.size and data[16:20] == mark:
        return PAIR.unpack_from(data, 8)
    if len(data) == NTP.size and data[12:16] == mark:
        return PAIR.unpack_from(data, 40)
    if len(data) == DNS.size and data[13:21] == f"{run:08x}".encode():
        return int(data[21:29], 16), int(data[29:37], 16)
    return None
