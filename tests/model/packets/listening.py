"""A socket that listens, in short."""

from __future__ import annotations

from ipaddress import ip_address

from model.packets.sockets import Listener


def listener(protocol: str, address: str, port: int, process: str = "") -> Listener:
    """Return a socket that one process holds; nobody knows which where `process` is empty."""
    return Listener(
        protocol=protocol,
        address=ip_address(address),
        port=port,
        processes=(process,) if process else (),
    )
