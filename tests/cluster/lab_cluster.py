"""A lab whose servers are one real cluster, as tests drive it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model.kubernetes.manifests import holds
from tests.lab.driver import Lab

KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
LONG = 1200.0
# Of outcomes and of cells.
_WRONG = ("drift", "failed", "unproven", "missing", "violation")


# Asks the API through its endpoint ten times a second until its input ends; prints the longest time without an answer.
_WATCH = """
import select, socket, ssl, sys, time
context = ssl.create_default_context(cafile="/etc/kubernetes/pki/ca.crt")
def ask():
    with socket.create_connection(("api.example.test", 8443), 1) as plain:
        with context.wrap_socket(plain, server_hostname="api.example.test") as secure:
            secure.sendall(b"GET /readyz HTTP/1.1\\r\\nHost: api\\r\\nConnection: close\\r\\n\\r\\n")
            return b" 200 " in secure.recv(64)
last, longest, end = time.monotonic(), 0.0, time.monotonic() + 600
while time.monotonic() < end and not select.select([sys.stdin], [], [], 0.1)[0]:
    try:
        answered = ask()
    except OSError:
        answered = False
    if answered:
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
        print("up", flush=True)
print("longest", max(longest, time.monotonic() - last), flush=True)
"""


@dataclass(frozen=True)
class LabCluster:
    """The lab and the ways into its cluster."""

    lab: Lab

    def flow(self, name: str, *flags: str, seconds: float = LONG) -> tuple[int, dict[str, Any]]:
        """Run `python -m flows.<name> --json -` as the controller; return its exit code and report."""
        argv = (sys.executable, "-m", f"flows.{name}", "--json", "-", *flags)
        done = self.lab.run(argv, seconds=seconds)
        assert done.stdout, done.stderr
        report = json.loads(done.stdout)
        if done.returncode:
            # Shown where the test fails: what is in the report goes with the lab.
            cells = [cell for cell in report.get("cells", ()) if cell["verdict"] in _WRONG]
            sys.stderr.write(
                f"flows.{name}: exit {done.returncode}\n{json.dumps([*wrong(report), *cells], indent=1)}\n"
            )
        return done.returncode, report

    def kubectl(self, *words: str, at: str = "cp-1", stdin: str = "") -> str:
        """Run kubectl on a control plane; it must succeed."""
        done = self.lab.shell(at, (*KUBECTL, *words), stdin)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def objects(self, *words: str, at: str = "cp-1") -> list[dict[str, Any]]:
        """Return the objects that `kubectl get WORDS` finds."""
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", *words, "-o", "json", at=at))["items"]
        return items

    def without(self, host: str, watch_from: str) -> tuple[float, float]:
        """
        Cut a control plane's power, wait until the cluster has noticed, give it back; return the longest time in
        seconds that the API did not answer through its endpoint, and how long the node took to be ready again.
        """
        other = next(name for name in ("cp-1", "cp-2", "cp-3") if name != host)
        argv = (sys.executable, "-m", "lab", "shell", watch_from, "--", "python3", "-u", "-c", _WATCH)
        with subprocess.Popen(
            argv, env=self.lab.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as watch:
            assert watch.stdout is not None
            assert watch.stdout.readline() == "up\n"
            self.lab.do("poweroff", host)
            eventually(f"{host} is not ready", lambda: host not in self.ready(other), 120)
            output, _ = watch.communicate("", timeout=60)
        gap = float(output.split()[-1])
        self.lab.do("poweron", host)
        return gap, eventually(f"{host} is ready again", lambda: host in self.ready(other), 180)

    def ready(self, at: str = "cp-1") -> set[str]:
        """Names of nodes that are Ready."""
        return {node["metadata"]["name"] for node in self.objects("nodes", at=at) if holds(node, "Ready")}


def eventually(what: str, met: Callable[[], bool], seconds: float) -> float:
    """Ask until it is so; return the seconds it took, fail after `seconds`."""
    started = time.monotonic()
    while True:
        try:
            if met():
                return time.monotonic() - started
            last = "it is not so"
        except AssertionError as error:
            last = str(error)
        if time.monotonic() - started > seconds:
            raise AssertionError(f"{what}: not within {seconds:g} s ({last})")
        time.sleep(0.5)


def wrong(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the outcomes that are not good."""
    return [outcome for outcome in report["outcomes"] if outcome["status"] in _WRONG]
