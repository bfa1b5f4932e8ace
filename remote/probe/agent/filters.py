"""Which packets the kernel hands to an agent: classic BPF programs, so that a busy host's traffic costs it nothing."""

from __future__ import annotations

import socket
import struct
from array import array

Step = tuple[int, int, str, str]
Program = tuple["Step | str", ...]

# Opcodes (linux/bpf_common.h) and ancillary loads (linux/filter.h).
LOAD_WORD, LOAD_HALF, LOAD_BYTE, AND, RETURN = 0x20, 0x28, 0x30, 0x54, 0x06
EQUAL, ANY_BIT, AT_LEAST = 0x15, 0x45, 0x35
PACKET_TYPE, HARDWARE_TYPE = 0xFFFFF004, 0xFFFFF01C
LOOPBACK = 772
SO_ATTACH_FILTER = 26

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


def load(opcode: int, operand: int) -> Step:
    """Return a step without a branch."""
    return (opcode, operand, "", "")


def need(value: int) -> Step:
    """Return a step that drops the packet unless the loaded value is this one."""
    return (EQUAL, value, "", "drop")


def keep_if(value: int) -> Step:
    """Return a step that keeps the packet when the loaded value is this one."""
    return (EQUAL, value, "keep", "")


# Meant for this host: neither on its way out nor for another one's hardware address.
INCOMING: Program = (load(LOAD_WORD, PACKET_TYPE), need(socket.PACKET_HOST))
# A port of a bridge sees what is for the bridge as another's, before the filters that the bridge itself asks.
ARRIVING: Program = (
    load(LOAD_WORD, PACKET_TYPE),
    (EQUAL, socket.PACKET_OTHERHOST, "mine", ""),
    need(socket.PACKET_HOST),
    "mine",
)
NOT_LOOPBACK: Program = (load(LOAD_WORD, HARDWARE_TYPE), (EQUAL, LOOPBACK, "drop", ""))
DROP: Program = (load(RETURN, 0),)


def ip(family: int) -> Program:
    """
    Keep IPv4 without options and fragments, or IPv6; the packet starts with its IP header.
    """
    if family == 4:
        return (load(LOAD_BYTE, 0), need(0x45), load(LOAD_HALF, 6), (ANY_BIT, 0x1FFF, "drop", ""))
    return (load(LOAD_BYTE, 0), load(AND, 0xF0), need(0x60))


def protocol(family: int, number: int) -> Program:
    """
    Keep one transport protocol.
    """
    return (load(LOAD_BYTE, 9 if family == 4 else 6), need(number))


def opening_syn(start: int) -> Program:
    """
    Keep TCP segments that open a connection; `start` is where the TCP header starts.
    """
    return (load(LOAD_BYTE, start + 13), load(AND, SYN | ACK | RST | FIN), (EQUAL, SYN, "keep", "drop"))


def udp_probe(start: int, run: int) -> Program:
    """
    Keep UDP probes of this run, as `packets.payload` writes them; `start` is where the UDP header starts.
    """
    ascii_run = int.from_bytes(f"{run:08x}".encode()[:4], "big")
    data = start + 8
    return (
        load(LOAD_WORD, data + 8),  # a load beyond the end drops what is too short
        load(LOAD_WORD, data),
        keep_if(run),
        load(LOAD_WORD, data + 16),
        keep_if(run),
        load(LOAD_WORD, data + 12),
        keep_if(run),
        load(LOAD_WORD, data + 13),
        (EQUAL, ascii_run, "keep", "drop"),
    )


def replies(family: int, port: int) -> Program:
    """
    Keep what answers a probe: SYN-ACK and RST to the source port of the SYNs, and ICMP errors.
    """
    start, icmp = (20, ICMP) if family == 4 else (40, ICMP6)
    errors: Program = (
        (keep_if(3), keep_if(11), (EQUAL, 12, "keep", "drop")) if family == 4 else ((AT_LEAST, 128, "drop", "keep"),)
    )
    return (
        *ip(family),
        load(LOAD_BYTE, 9 if family == 4 else 6),
        (EQUAL, icmp, "icmp", ""),
        need(TCP),
        load(LOAD_HALF, start + 2),
        need(port),
        load(LOAD_BYTE, start + 13),
        (ANY_BIT, SYN | RST, "keep", "drop"),
        "icmp",
        load(LOAD_BYTE, start),
        *errors,
    )


def assemble(program: Program) -> bytes:
    """
    Return the program in the kernel's form; the labels `keep` and `drop` stand at its end, jumps go forward only.
    """
    whole: Program = (*program, "drop", load(RETURN, 0), "keep", load(RETURN, 0x40000))
    places: dict[str, int] = {}
    steps: list[Step] = []
    for step in whole:
        if isinstance(step, str):
            places[step] = len(steps)
        else:
            steps.append(step)
    out = bytearray()
    for at, (opcode, operand, true, false) in enumerate(steps):
        jumps = [places[label] - at - 1 if label else 0 for label in (true, false)]
        out += struct.pack("=HBBI", opcode, *jumps, operand)
    return bytes(out)


def attach(sock: socket.socket, program: Program) -> None:
    """
    Give the socket a filter; packets that came before it are still queued.
    """
    code = array("B", assemble(program))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(code) // 8, code.buffer_info()[0]))
