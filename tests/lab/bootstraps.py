"""`flows.bootstrap` on a lab's hosts, as tests run it without a bundle: hosts would install from their own sources."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.lab.driver import Lab
from tests.model.host.test_openpgp import PUBLIC

PROGRAM = (sys.executable, "-m", "flows.bootstrap")


@dataclass(frozen=True)
class BootstrapRun:
    """One run: its exit code, what it told, and the subjects of each host that are not simply ok."""

    exit: int
    outcomes: list[dict[str, Any]]
    complaint: str

    def subjects(self, host: str, status: str) -> set[str]:
        """Return the subjects that have this status on a host."""
        return {
            outcome["subject"] for outcome in self.outcomes if (outcome["host"], outcome["status"]) == (host, status)
        }

    def told(self, host: str, subject: str) -> str:
        """Return the messages of a subject on a host, and what to do next."""
        mine = [outcome for outcome in self.outcomes if (outcome["host"], outcome["subject"]) == (host, subject)]
        return "\n".join(f"{outcome['message']}; next: {outcome['next']}" for outcome in mine)


def site_of(lab: Lab, folder: Path, **kubernetes: object) -> Path:
    """Copy the lab's site into a folder; nodes install from a repository on the router unless said otherwise."""
    shutil.copytree(lab.inventory, folder, ignore=shutil.ignore_patterns("reports", "state"))
    path = folder / "site.yaml"
    settings = yaml.safe_load(path.read_text("utf-8"))
    (folder / "repository.gpg").write_bytes(PUBLIC)
    repository = {"name": "router", "uri": "http://10.20.1.1/", "key": "repository.gpg"}
    settings["kubernetes"] |= {"packages": "apt", "bundle": None, "repositories": [repository], **kubernetes}
    path.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    return folder


def preflight(lab: Lab, site: Path, *flags: str) -> BootstrapRun:
    """Run the first phase alone, as the controller."""
    done = lab.run((*PROGRAM, "--only", "preflight", "--inventory", str(site), "--json", "-", *flags))
    report = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    return BootstrapRun(done.returncode, report.get("outcomes", []), done.stderr)
