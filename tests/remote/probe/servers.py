"""Something that listens on a host, and something that connects to it."""

from __future__ import annotations

from tests.remote.probe.network import Network, Process

# A TCP server that says whether anybody ever connected, and a UDP server that answers what looks like the right
# request.
SERVER = """
import select, socket, sys
port = int(sys.argv[1])
tcp = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
udp.bind(("::", port))
print("listening", flush=True)
while True:
    for sock in select.select([tcp, udp, sys.stdin], [], [])[0]:
        if sock is tcp:
            tcp.accept()
            print("accepted", flush=True)
        elif sock is udp:
            data, sender = udp.recvfrom(2000)
            udp.sendto(b"answer", sender)
            print(data.hex(), flush=True)
        else:
            sys.exit()
"""
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.2).close()
except OSError:
    pass
"""


def listener(net: Network, name: str, port: int) -> Process:
    """
    Start a dual-stack TCP and UDP server; it prints `accepted` for a connection and the payload of a datagram in hex.
    """
    process = net.start(name, "/usr/bin/python3", "-c", SERVER, str(port))
    assert process.read_line(10) == b"listening"
    return process


def connect(net: Network, name: str, address: str, port: int) -> None:
    """Try a plain TCP connection, for 0.2 s at most."""
    net.start(name, "/usr/bin/python3", "-c", CONNECT, address, str(port)).exit_code(10)
