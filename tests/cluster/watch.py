"""A client that asks all the time, and tells afterwards for how long nobody answered it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType

from tests.lab.driver import Lab

# Ten times a second over a new connection each, until its input ends.
_ASK = """
import select, socket, ssl, sys, time
kind, name, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
context = ssl.create_default_context(cafile="/etc/kubernetes/pki/ca.crt") if kind == "api" else None
def ask():
    with socket.create_connection((name, port), 1) as plain:
        plain.settimeout(1)
        if context is None:
            plain.sendall(b"GET /hostname HTTP/1.0\\r\\n\\r\\n")
            return b" 200 " in plain.recv(64)
        with context.wrap_socket(plain, server_hostname=name) as secure:
            secure.sendall(b"GET /readyz HTTP/1.1\\r\\nHost: api\\r\\nConnection: close\\r\\n\\r\\n")
            return b" 200 " in secure.recv(64)
last, longest, asked, lost, since = time.monotonic(), 0.0, 0, 0, ""
while not select.select([sys.stdin], [], [], 0.1)[0]:
    asked += 1
    try:
        answered = ask()
    except OSError:
        answered = False
    if answered:
        gap, last = time.monotonic() - last, time.monotonic()
        if gap > longest:
            longest, since = gap, time.strftime("%H:%M:%S", time.gmtime(time.time() - gap))
        if asked - lost == 1:
            print("up", flush=True)
    else:
        lost += 1
print("result", max(longest, time.monotonic() - last), asked, lost, since or "-", flush=True)
"""


@dataclass
class Watch:
    """
    A block during which somebody asks from `host`: `api` at the endpoint, or `http` at an address. Then `gap` in
    seconds, `since` when (UTC), `asked`, `lost`.
    """

    lab: Lab
    host: str
    kind: str
    name: str
    port: int
    gap: float = float("inf")
    asked: int = 0
    lost: int = 0
    since: str = ""

    def __enter__(self) -> Watch:
        words = (self.kind, self.name, str(self.port))
        argv = (sys.executable, "-m", "lab", "shell", self.host, "--", "python3", "-u", "-c", _ASK, *words)
        self._process = subprocess.Popen(
            argv, env=self.lab.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "up\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        output, _ = self._process.communicate("\n", timeout=60)
        _, gap, asked, lost, self.since = output.split()[-5:]
        self.gap, self.asked, self.lost = float(gap), int(asked), int(lost)


def api(lab: Lab, host: str) -> Watch:
    """Ask the API through its endpoint."""
    return Watch(lab, host, "api", "api.example.test", 8443)


def service(lab: Lab, host: str, address: str, port: int = 80) -> Watch:
    """Ask a Service at its own address from a node."""
    return Watch(lab, host, "http", address, port)
