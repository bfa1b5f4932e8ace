"""Sockets that see and send probes: before netfilter, after INPUT, and out."""

from __future__ import annotations

import socket
import struct

from remote.probe.agent.filters import DROP, Program, attach

SO_SNDBUFFORCE, SO_RCVBUFFORCE, SO_MEMINFO = 32, 33, 55
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
ETH_P_ALL = 0x0003
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

# A burst waits here while the agent has no CPU; the kernel takes the memory only when it is needed.
RECEIVE_BUFFER = 64 << 20
# For a dead neighbour packets wait seconds, up to 212,992 bytes of them: they must not hold up all the others.
SEND_BUFFER = 32 << 20


def arriving(program: Program) -> socket.socket:
    """
    Return a socket that reads packets as they arrive, before netfilter; each starts with its IP header.
    """
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    attach(sock, program)
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    _enlarge(sock, SO_RCVBUFFORCE, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.setblocking(False)
    discard(sock)
    return sock


def passing(family: int, protocol: int, program: Program) -> socket.socket:
    """
    Return a socket that reads what INPUT let pass; packets start with the IP header (IPv4) or the transport's (IPv6).
    """
    sock = socket.socket(FAMILIES[family], socket.SOCK_RAW, protocol)
    attach(sock, program)
    _enlarge(sock, SO_RCVBUFFORCE, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.setblocking(False)
    discard(sock)
    return sock


def sending(family: int, address: str) -> tuple[socket.socket, socket.socket, socket.socket]:
    """
    Return (raw TCP, reserved TCP, UDP) sockets, all bound to one of the host's addresses.

    The reserved socket never listens: it owns the SYNs' source port, so that the kernel answers a SYN-ACK with RST.
    """
    reserved = socket.socket(FAMILIES[family], socket.SOCK_STREAM)
    reserved.bind((address, 0))
    raw = socket.socket(FAMILIES[family], socket.SOCK_RAW, socket.IPPROTO_TCP)
    attach(raw, DROP)
    raw.bind((address, 0))
    udp = socket.socket(FAMILIES[family], socket.SOCK_DGRAM)
    udp.bind((address, 0))
    _enlarge(udp, SO_RCVBUFFORCE, socket.SO_RCVBUF, RECEIVE_BUFFER)
    for sock in (raw, udp):
        _enlarge(sock, SO_SNDBUFFORCE, socket.SO_SNDBUF, SEND_BUFFER)
        sock.setblocking(False)
    return raw, reserved, udp


def overrun(sock: socket.socket) -> int:
    """
    Return how many packets the kernel dropped because the socket's buffer was full.
    """
    return int(struct.unpack_from("=9I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[8])


def discard(sock: socket.socket) -> None:
    """
    Throw away what is queued.
    """
    try:
        while True:
            sock.recv(1)
    except BlockingIOError:
        return


def _enlarge(sock: socket.socket, forced: int, ordinary: int, size: int) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, forced, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, ordinary, size)
