"""A node, a pod behind it and its neighbours, in network namespaces of this test process alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

# Everybody of the tests lives in one wide network, so that no router is needed.
_LINKS = (
    ("outside", "node", "eth0", ("10.20.1.21/16", "fd20:1::21/24")),
    ("pod", "node", "cni0", ("10.244.3.1/24", "fd44::3:1/112")),
)
_OUTSIDE = ("10.20.1.11/16", "10.20.1.250/16", "10.20.2.11/16", "fd20:1::11/24", "fd20:1::250/24")
_POD = ("10.244.3.5/24", "fd44::3:5/112")

_ECHO = """
import socket, threading
def tcp(s):
    while True:
        c, _ = s.accept()
        threading.Thread(target=talk, args=(c,), daemon=True).start()
def talk(c):
    while data := c.recv(1000):
        c.sendall(data)
def udp(s):
    while True:
        data, who = s.recvfrom(1000)
        s.sendto(data, who)
servers = [socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) for port in (8080, 10250)]
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("0.0.0.0", 8080))
for t in servers:
    threading.Thread(target=tcp, args=(t,), daemon=True).start()
print("ready", flush=True)
udp(u)
"""
_ASK = """
import socket, sys
source, target, port, kind = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
family = socket.AF_INET6 if ":" in target else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(0.4)
s.bind((source, 0))
try:
    s.connect((target, port))
    s.send(b"hello")
    print("reached" if s.recv(10) == b"hello" else "other", flush=True)
except ConnectionRefusedError:
    print("refused")
except TimeoutError:
    print("silence")
else:
    for line in sys.stdin:
        s.settimeout(3)
        s.send(line.encode()); print(s.recv(1000).decode(), end="", flush=True)
"""
# A connection that is just being made, and whether an error stays in its queue.
_QUEUE = """
import socket, select, sys
source, target, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket()
s.bind((source, 0))
s.setblocking(False)
s.connect_ex((target, port))
waiting = select.poll()
waiting.register(s, select.POLLERR)
waiting.poll(300)
try:
    s.recvmsg(1000, 1000, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
    print("queued")
except BlockingIOError:
    print("nothing")
"""


class NodeNamespace:
    """The namespaces, from `with` to the end of its block."""

    def __init__(self) -> None:
        self._spaces = {name: f"mfn{os.getpid()}{name}" for name in ("node", "outside", "pod")}
        self._servers: list[subprocess.Popen[str]] = []

    def __enter__(self) -> NodeNamespace:
        for space in self._spaces.values():
            _do("ip", "netns", "add", space)
            _do("ip", "-n", space, "link", "set", "lo", "up")
        for other, node, name, addresses in _LINKS:
            there, here = self._spaces[other], self._spaces[node]
            _do("ip", "link", "add", name, "netns", here, "type", "veth", "peer", "name", "up0", "netns", there)
            self._address(node, name, addresses)
        self._address("outside", "up0", _OUTSIDE)
        self._address("pod", "up0", _POD)
        for route in (("default", "via", "10.244.3.1"), ("default", "via", "fd44::3:1")):
            _do("ip", "-n", self._spaces["pod"], "route", "add", *route)
        for destination in ("10.244.0.0/16", "10.96.0.0/12", "203.0.113.7"):
            _do("ip", "-n", self._spaces["outside"], "route", "add", destination, "via", "10.20.1.21")
        for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            self.run("sysctl", "-qw", f"{name}=1")
        for where in ("pod", "node"):
            self._servers.append(self._python(where, _ECHO))
            assert self._servers[-1].stdout is not None
            assert self._servers[-1].stdout.readline() == "ready\n"
        # The kernel takes a moment to make a new link's addresses known to its neighbours.
        for where, source, target in (
            *(("outside", "10.20.1.11", "10.20.1.21"), ("outside", "fd20:1::11", "fd20:1::21")),
            *(("node", "10.244.3.1", "10.244.3.5"), ("node", "fd44::3:1", "fd44::3:5")),
            *(("pod", "10.244.3.5", "10.244.3.1"), ("pod", "fd44::3:5", "fd44::3:1")),
        ):
            reached = any(self.reaches(source, target, 8080, where=where) for _ in range(20))
            assert reached, f"{target} does not answer {source}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.kill()
            server.communicate()
        for space in self._spaces.values():
            _do("ip", "netns", "del", space)

    def run(self, *argv: str) -> str:
        """Run a command on the node."""
        return _do("ip", "netns", "exec", self._spaces["node"], *argv)

    def nft(self, text: str) -> None:
        """Let the node's kernel read a file of nftables."""
        argv = ("ip", "netns", "exec", self._spaces["node"], "nft", "-f", "-")
        subprocess.run(argv, input=text, text=True, check=True, capture_output=True)

    def reaches(self, source: str, target: str, port: int, kind: str = "tcp", where: str = "outside") -> bool:
        """Return whether an echo comes back; anything but it or silence is an error."""
        process = self._python(where, _ASK, source, target, str(port), kind)
        output, complaint = process.communicate("")
        assert output in ("reached\n", "silence\n"), f"{output} {complaint}"
        return output == "reached\n"

    def leaves_error(self, source: str, target: str, port: int) -> bool:
        """Return whether a pod's connection to there has an error in its queue that nobody takes out."""
        output, complaint = self._python("pod", _QUEUE, source, target, str(port)).communicate("")
        assert output in ("queued\n", "nothing\n"), f"{output} {complaint}"
        return output == "queued\n"

    @contextmanager
    def connection(self, source: str, target: str, port: int) -> Iterator[Callable[[str], str]]:
        """Keep a connection open and exchange lines over it."""
        process = self._python("outside", _ASK, source, target, str(port), "tcp")
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout
        assert stdout.readline() == "reached\n"

        def talk(line: str) -> str:
            stdin.write(line + "\n")
            stdin.flush()
            return stdout.readline().rstrip("\n")

        yield talk
        process.communicate()

    def _python(self, where: str, code: str, *words: str) -> subprocess.Popen[str]:
        argv = ("ip", "netns", "exec", self._spaces[where], sys.executable, "-c", code, *words)
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def _address(self, where: str, link: str, addresses: tuple[str, ...]) -> None:
        space = self._spaces[where]
        for address in addresses:
            _do("ip", "-n", space, "addr", "add", address, "dev", link, *(("nodad",) if ":" in address else ()))
        _do("ip", "-n", space, "link", "set", link, "up")


def _do(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
