"""What an agent can say of its host before any probe."""

from __future__ import annotations

import os
import socket
import struct
import sys

from remote.probe.agent.channel import Message

NETLINK_ROUTE, RTM_NEWADDR, RTM_GETADDR, NLMSG_DONE = 0, 20, 22, 3
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
IFA_ADDRESS, IFA_LOCAL = 1, 2
HEADER = struct.Struct("=IHHII")
IFADDRMSG = struct.Struct("=BBBBI")
ATTRIBUTE = struct.Struct("=HH")
CONNTRACK = "/proc/sys/net/netfilter/nf_conntrack_"


def ready() -> Message:
    """
    Return the agent's first message.
    """
    version = ".".join(map(str, sys.version_info[:3]))
    return {"ready": {"python": version, "pid": os.getpid(), "addresses": addresses(), "conntrack": conntrack()}}


def conntrack() -> list[int] | None:
    """
    Return conntrack's entries in use and their limit, or None when it is not loaded.
    """
    try:
        return [_number(CONNTRACK + name) for name in ("count", "max")]
    except FileNotFoundError:
        return None


def _number(path: str) -> int:
    fd = os.open(path, os.O_RDONLY)
    try:
        return int(os.read(fd, 32))
    finally:
        os.close(fd)


def addresses() -> list[str]:
    """
    Return the host's addresses of both families, loopback's included, in the kernel's order.
    """
    found: list[str] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as sock:
        sock.settimeout(5)
        length = HEADER.size + IFADDRMSG.size
        request = HEADER.pack(length, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
        sock.send(request + IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
        while _read_dump(sock.recv(1 << 16), found):
            pass
    return found


def _read_dump(data: bytes, found: list[str]) -> bool:
    start = 0
    while start < len(data):
        length, kind, *_ = HEADER.unpack_from(data, start)
        if kind != RTM_NEWADDR:
            return False
        family = data[start + HEADER.size]
        values = _attributes(data[start + HEADER.size + IFADDRMSG.size : start + length])
        # On a point-to-point interface IFA_ADDRESS is the other end.
        found.append(socket.inet_ntop(family, values.get(IFA_LOCAL) or values[IFA_ADDRESS]))
        start += (length + 3) & ~3
    return True


def _attributes(data: bytes) -> dict[int, bytes]:
    values = {}
    start = 0
    while start < len(data):
        length, kind = ATTRIBUTE.unpack_from(data, start)
        values[kind] = data[start + ATTRIBUTE.size : start + length]
        start += (length + 3) & ~3
    return values
