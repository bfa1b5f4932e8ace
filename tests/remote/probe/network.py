"""A small network of namespaces, and agents as local processes in them: A - router - (B, C on one bridge)."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from model.verify.assignments import expected_at
from model.verify.probing import Assignment, ExpectedStream, ProbeTarget
from remote.probe.bundle import argv
from remote.probe.session import SourceSession, WitnessSession
from tests import namespaces

A4, B4, C4, ROUTER4 = "10.77.1.2", "10.77.2.2", "10.77.2.3", "10.77.2.1"
A6, B6, C6 = "fd77:1::2", "fd77:2::2", "fd77:2::3"
EXTERNAL4, EXTERNAL6 = "10.77.9.9", "fd77:9::9"
KEY = b"key of the tests"
ADDRESSES = {"A": (A4, A6), "B": (B4, B6), "C": (C4, C6)}


class Process:
    """A local process as the stream that a session talks over."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._errors = os.memfd_create("stderr")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors)
        self._held = b""

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read_line(self, timeout: float) -> bytes:
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout
        while b"\n" not in self._held:
            if not select.select([self.process.stdout], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise TimeoutError
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            if not data:
                raise EOFError
            self._held += data
        line, self._held = self._held.split(b"\n", 1)
        return line

    def complaint(self) -> str:
        return os.pread(self._errors, 1 << 16, 0).decode().strip()

    def close(self) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def exit_code(self, timeout: float) -> int | None:
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        self.close()
        if self.exit_code(5) is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        os.close(self._errors)


class Network:
    """Three hosts and the router between them, in namespaces of this test process alone."""

    def __init__(self) -> None:
        self.spaces: dict[str, str] = {}
        self._running: list[Process] = []

    def up(self) -> None:
        for name in ("A", "B", "C", "R"):
            space = self.spaces[name] = namespaces.add(name)
            run("ip", "-n", space, "link", "set", "lo", "up")
            self.sysctl(space, "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
        router = self.spaces["R"]
        self.sysctl(router, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        run("ip", "-n", router, "link", "add", "bridge", "type", "bridge")
        for name in ("A", "B", "C"):
            run(
                "ip",
                "-n",
                router,
                "link",
                "add",
                f"to-{name}",
                "type",
                "veth",
                "peer",
                "eth0",
                "netns",
                self.spaces[name],
            )
            if name != "A":
                run("ip", "-n", router, "link", "set", f"to-{name}", "master", "bridge")
            run("ip", "-n", router, "link", "set", f"to-{name}", "up")
        run("ip", "-n", router, "link", "set", "bridge", "up")
        for device, number in (("to-A", 1), ("bridge", 2)):
            self._address("R", device, f"10.77.{number}.1/24", f"fd77:{number}::1/64")
        for name, (four, six) in ADDRESSES.items():
            run("ip", "-n", self.spaces[name], "link", "set", "eth0", "up")
            self._address(name, "eth0", f"{four}/24", f"{six}/64")
            for gateway in (four.rsplit(".", 1)[0] + ".1", six.rsplit("::", 1)[0] + "::1"):
                run("ip", "-n", self.spaces[name], "route", "add", "default", "via", gateway)

    def _address(self, name: str, device: str, *addresses: str) -> None:
        for address in addresses:
            nodad = ("nodad",) if ":" in address else ()
            run("ip", "-n", self.spaces[name], "address", "add", address, "dev", device, *nodad)

    def sysctl(self, space: str, *settings: str) -> None:
        run("ip", "netns", "exec", space, "sysctl", "-q", "-w", *settings)

    def down(self) -> None:
        for space in self.spaces.values():
            namespaces.remove(space)

    def rules(self, name: str, *lines: str, families: tuple[int, ...] = (4, 6)) -> None:
        """Add rules, each the arguments of one iptables call, of both families unless said otherwise."""
        for family in families:
            for line in lines:
                program = "iptables" if family == 4 else "ip6tables"
                run("ip", "netns", "exec", self.spaces[name], program, *line.split())

    def run_ip(self, name: str, *arguments: str) -> None:
        run("ip", "-n", self.spaces[name], *arguments)

    def start(self, name: str, *command: str) -> Process:
        """Start a process on a host; it is ended with the test."""
        process = Process(("ip", "netns", "exec", self.spaces[name], *command))
        self._running.append(process)
        return process

    def witness(self, name: str) -> WitnessSession:
        return WitnessSession.open(name, self.start(name, *local(argv("witness"))))

    def source(self, name: str) -> SourceSession:
        return SourceSession.open(name, self.start(name, *local(argv("source"))))

    def calm(self) -> None:
        """End what the test started, and take its rules away."""
        for process in self._running:
            process.end()
        self._running.clear()
        for space in self.spaces.values():
            run("ip", "netns", "exec", space, "nft", "flush", "ruleset")


def local(command: tuple[str, ...]) -> tuple[str, ...]:
    """The system's interpreter, as on hosts, whatever PATH says."""
    return ("/usr/bin/" + command[0], *command[1:])


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)


@contextmanager
def network() -> Iterator[Network]:
    built = Network()
    try:
        built.up()
        yield built
    finally:
        built.down()


def assignment(source: str, *targets: ProbeTarget) -> Assignment:
    return Assignment(source, ADDRESSES[source], targets)


def expected(witness: str, *assignments: Assignment, external: tuple[str, ...] = ()) -> tuple[ExpectedStream, ...]:
    return expected_at(assignments, ADDRESSES[witness], external)
