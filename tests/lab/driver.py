"""A lab as tests drive it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import controller, seccomp
from lab.errors import LabError
from lab.instance import Instance
from model.checkout import ROOT


@dataclass(frozen=True)
class Lab:
    """One lab of this machine, driven as a person drives it: by its command line."""

    name: str

    def command(self, *argv: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run `python -m lab ARGV`, whatever its exit code."""
        program = (sys.executable, "-m", "lab", *argv)
        return subprocess.run(
            program, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=seconds, check=False
        )

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment with this lab selected."""
        return {**os.environ, "MATRIX_FLEET_LAB": self.name}

    def do(self, *argv: str) -> str:
        """Run `python -m lab ARGV`, which must succeed, and return what it printed."""
        done = self.command(*argv)
        assert done.returncode == 0, f"lab {' '.join(argv)} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def run(self, argv: Sequence[str], seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command as the controller."""
        return self.command("run", "--", *argv, seconds=seconds)

    def shell(self, host: str, argv: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        """
        Run a command as root on a host, as `python -m lab shell HOST -- ARGV` does.

        Tests do so a thousand times: they enter the host by themselves, for a fifth of a second each.
        """
        try:
            entrance = controller.entrance(Instance(self.name), host, argv)
        except LabError as error:
            return subprocess.CompletedProcess(argv, 1, "", f"lab: {error}\n")
        return subprocess.run(
            entrance,
            cwd=ROOT,
            env=controller.on_a_host(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            preexec_fn=seccomp.forbid,
        )

    @property
    def inventory(self) -> Path:
        """Folder of the emitted site."""
        return Instance(self.name).inventory

    @property
    def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        state: dict[str, Any] = json.loads(self.do("status", "--json"))
        return state

    def tcp(self, host: str, address: str, port: int) -> str:
        """Try to connect from a host (empty: the controller): `open`, `refused`, or `silent` after a second."""
        argv = ("python3", "-c", _CONNECT, address, str(port))
        done = self.shell(host, argv) if host else self.run(argv)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextmanager
def booted(name: str, *options: str) -> Iterator[Lab]:
    """
    Boot a lab of this name afresh, for as long as the block runs: what a killed run left of it is taken down first.
    """
    lab = Lab(name)
    lab.do("down")
    lab.do("up", *options)
    try:
        yield lab
    finally:
        lab.do("down")


_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()
    print("open")
except ConnectionRefusedError:
    print("refused")
except OSError:
    print("silent")
"""
