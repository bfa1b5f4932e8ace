"""The service of a controller's machine in tests: installed, run to its end, and what it told people."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.lab.controllers import SITE, Controller
from tests.lab.firewalls import until

SERVICE, TIMER = "matrix-fleet-compliance-lab-small.service", "matrix-fleet-compliance-lab-small.timer"
NEWS = "/srv/news"
# Whoever fetches news from a file says that it has them.
_PAGER = f"#!/bin/sh\ncat >{NEWS}/draft && mv {NEWS}/draft {NEWS}/$(date +%s.%N)\n"


def daily(**others: Any) -> dict[str, Any]:
    """Return a schedule that does not fire while tests run, and leaves the ports alone."""
    return {"calendar": "2040-01-01 05:00", "random_delay_minutes": 0, "verify_ports": False, **others}


def every(seconds: int) -> dict[str, Any]:
    """Return a schedule that fires so often."""
    return daily(calendar=f"*:*:0/{seconds}")


def installed(machine: Controller, **compliance: Any) -> dict[str, Any]:
    """Write the settings, install, and return the report; nothing may be wrong."""
    machine.settings(**compliance)
    done = machine.flow("schedule", "install", "--json", "-")
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def statuses(report: dict[str, Any], subject: str) -> dict[str, str]:
    """Return a subject's status by host."""
    return {outcome["host"]: outcome["status"] for outcome in report["outcomes"] if outcome["subject"] == subject}


def runs(machine: Controller, flow: str = "compliance") -> list[str]:
    """Return the names of a flow's kept runs, oldest first."""
    return sorted(path.name for path in (machine.site / "reports").glob(f"2*-{flow}*"))


def run_now(machine: Controller) -> int:
    """Have systemd run the service to its end, the telling of news too; return its exit code."""
    before = len(runs(machine, "notify"))
    # systemd starts nothing more than five times in ten seconds.
    machine.run("systemctl", "reset-failed", SERVICE)
    machine.run("systemctl", "start", SERVICE)
    until(lambda: len(runs(machine, "notify")) > before, 60)
    return int(machine.sh(f"systemctl show -P ExecMainStatus {SERVICE}"))


def news(machine: Controller) -> list[dict[str, Any]]:
    """Return what the command was told, oldest first."""
    folder = machine.root / NEWS.lstrip("/")
    return [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("[0-9]*"))]


def told(entries: list[dict[str, Any]], word: str) -> list[tuple[str, str]]:
    """Return host and subject of everything that was told under a word."""
    return [(row["host"], row["subject"]) for entry in entries for row in entry[word]]


def paged(machine: Controller) -> dict[str, Any]:
    """Make a command that keeps what it is told; return its entry in site.yaml."""
    machine.sh(f"rm -rf {NEWS}; mkdir {NEWS}; chown matrix-fleet: {NEWS}; rm -f {SITE}/reports/notified.json")
    (machine.root / "usr/local/bin/pager").write_text(_PAGER, "utf-8")
    machine.sh("chmod 755 /usr/local/bin/pager")
    return {"kind": "command", "command": ["/usr/local/bin/pager"]}


def outcomes(report: dict[str, Any]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return status and message, without numbers, by host and subject."""
    timeless = ((outcome, re.sub(r"\d+(\.\d+)?", "#", outcome["message"])) for outcome in report["outcomes"])
    return {(outcome["host"], outcome["subject"]): (outcome["status"], message) for outcome, message in timeless}


def cells(report: dict[str, Any]) -> set[tuple[Any, ...]]:
    """Return what was asked and found of every cell."""
    keys = ("from", "to", "address", "protocol", "port_lo", "port_hi", "plane", "expected", "verdict")
    return {tuple(cell[key] for key in keys) for cell in report["cells"]}
