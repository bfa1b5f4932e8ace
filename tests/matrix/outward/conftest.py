"""The application with somebody to speak to outside: a mail relay, and a second homeserver. Both go in the end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.lab_cluster import LONG, wrong
from tests.lab.driver import Lab
from tests.matrix.matrix_lab import MatrixLab

OUTSIDE = "vantage-1"
LOGIN = "matrix"
_SECRET = "Secret/matrix/synapse-mail"
_SERVICES = ("mail", "homeserver")


@dataclass(frozen=True)
class Outward:
    """The lab, and the gates of the rollout that told the application of both."""

    cluster: MatrixLab
    first: dict[str, dict[str, Any]]

    @property
    def lab(self) -> Lab:
        """The lab itself."""
        return self.cluster.lab

    def gate(self, name: str) -> dict[str, Any]:
        """Try one gate."""
        _, report = self.cluster.flow("validate", "--gate", name)
        (gate,) = report["gates"]
        return dict(gate)

    def outside(self, *argv: str) -> str:
        """Run a command as root on the vantage host, which must succeed."""
        done = self.lab.shell(OUTSIDE, argv)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def outward(matrix: MatrixLab) -> Iterator[Outward]:
    """The application told of both; they go, and the site is as it was, when the session ends."""
    lab = matrix.lab
    try:
        password = lab.do("serve", "mail").strip()
        lab.do("serve", "homeserver")
        for key, value in (("username", LOGIN), ("password", password)):
            brought(lab, f"smtp/{key}", value)
        report = good(matrix, "firewall", "rollout")
        yield Outward(matrix, {gate["name"]: gate for gate in report["gates"]})
    finally:
        for name in _SERVICES:
            lab.do("withdraw", name)
        good(matrix, "firewall")
        code, report = matrix.flow("rollout", "--prune", "--recreate", _SECRET, seconds=LONG)
    assert code == 0, wrong(report)
    assert matrix.changed("--dry-run") == (0, {})


def good(matrix: MatrixLab, *flows: str) -> dict[str, Any]:
    """Run flows, each of which must end well; return the last one's report."""
    report: dict[str, Any] = {}
    for flow in flows:
        code, report = matrix.flow(flow, seconds=LONG)
        assert code == 0, wrong(report)
    return report


def brought(lab: Lab, secret: str, value: str) -> None:
    """Bring a value of a secret, as a person does."""
    argv = (sys.executable, "-m", "flows.secrets", "import", secret, "--stdin")
    done = subprocess.run(
        (sys.executable, "-m", "lab", "run", "--", *argv),
        input=value, env=lab.environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def asked(lab: Lab, host: str, program: str, said: dict[str, Any]) -> Any:
    """Run a program on a host that reads JSON and prints JSON."""
    done = subprocess.run(
        (sys.executable, "-m", "lab", "shell", host, "--", "python3", "-c", program),
        input=json.dumps(said), env=lab.environment, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
