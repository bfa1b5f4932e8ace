"""Firewalls of a lab's hosts, as tests look at them from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

from model.checkout import ROOT
from tests.lab.driver import Lab

PROGRAM = (sys.executable, "-m", "flows.firewall")
_STATE = """
for command in iptables-save ip6tables-save; do $command | grep -v '^#' | sed 's/ \\[[0-9]*:[0-9]*\\]$//'; done
cat /etc/ufw/user.rules /etc/ufw/user6.rules /etc/ufw/ufw.conf /etc/default/ufw
systemctl is-enabled ufw
"""
_FILES = "find /etc /usr /opt /root /home -xdev -printf '%p %T@ %s %m %U\\n' | sort"


@dataclass(frozen=True)
class FirewallRun:
    """One run of the flow: its exit code, and its report."""

    exit: int
    report: dict[str, Any]
    complaint: str = field(repr=False)

    def status(self, host: str, subject: str = "firewall") -> str:
        """Return the status of a host's outcome; empty where there is none."""
        return str(self.outcome(host, subject).get("status", ""))

    def outcome(self, host: str, subject: str = "firewall") -> dict[str, Any]:
        """Return a host's outcome."""
        matching = [
            outcome for outcome in self.report["outcomes"] if (outcome["host"], outcome["subject"]) == (host, subject)
        ]
        return matching[0] if matching else {}


def run(lab: Lab, *flags: str) -> FirewallRun:
    """Run `python -m flows.firewall` as the controller."""
    done = lab.run((*PROGRAM, "--json", "-", *flags))
    return FirewallRun(done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr)


def apply(lab: Lab) -> None:
    """Bring the whole lab to what its matrix says."""
    done = run(lab, "--purge")
    assert done.exit == 0, done.complaint or done.report


def state(lab: Lab, host: str) -> str:
    """Return kernel rules without counters, ufw's files and flags."""
    return sh(lab, host, _STATE)


def files(lab: Lab, host: str) -> str:
    """Return name, time, size and mode of every file that a second run must not touch."""
    return sh(lab, host, _FILES)


def sh(lab: Lab, host: str, script: str) -> str:
    """Run a shell script as root on a host; its standard output."""
    return lab.shell(host, ("sh", "-c", script)).stdout


def armed(lab: Lab, host: str) -> bool:
    """Return whether a rollback waits on the host."""
    return sh(lab, host, "systemctl is-active matrix-fleet-rollback.timer").strip() == "active"


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds; fail when it does not within so many seconds."""
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, f"did not hold within {seconds:g} s"
        sleep(0.3)


@contextmanager
def holding(lab: Lab, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the flow with --hold while the block runs; killed afterwards if it still is there."""
    program = (sys.executable, "-m", "lab", "run", "--", *PROGRAM, "--quiet", *flags)
    environment = {**os.environ, "MATRIX_FLEET_LAB": lab.name}
    process = subprocess.Popen(program, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
