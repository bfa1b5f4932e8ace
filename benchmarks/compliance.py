"""
The whole checklist on 17 and on 100 real hosts, beside Ansible and testinfra with the same facts and judgements on the
same hosts.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import peers
from benchmarks.figure import Figure, Used, used, wall
from lab.instance import selected
from model.report.outcome import UNKNOWN
from model.site.load import load_site

PYTHON = sys.executable
LAB = (PYTHON, "-m", "lab")
RUN = (*LAB, "run", "--")
OURS = (*RUN, PYTHON, "-m", "flows.compliance", "--quiet")
HERE = Path(__file__).parent


def measure(rounds: int) -> list[Figure]:
    """Each round runs the three in turn on 17 hosts; then ours alone on 100."""
    ours, ansible, testinfra = _beside(rounds)
    hundred = _hundred(rounds)
    return [
        Figure("compliance_17_s", median(ours), "s", "", rounds),
        Figure("compliance_vs_ansible", median(ours) / median(ansible), "ratio", "ansible-core", rounds),
        Figure("compliance_vs_testinfra", median(ours) / median(testinfra), "ratio", "pytest-testinfra", rounds),
        Figure("compliance_ansible_17_s", median(ansible), "s", "", rounds),
        Figure("compliance_testinfra_17_s", median(testinfra), "s", "", rounds),
        Figure("compliance_100_s", median(run.seconds for run in hundred), "s", "", rounds),
        Figure("compliance_cpu_100_s", median(run.cpu_seconds for run in hundred), "s", "", rounds),
        Figure("compliance_peak_mb_100", median(run.peak_mb for run in hundred), "MB", "", rounds),
    ]


def _beside(rounds: int) -> tuple[list[float], list[float], list[float]]:
    programs = peers.programs()
    ours, ansible, testinfra = [], [], []
    _up("reference")
    wall((*RUN, PYTHON, "-m", "flows.verify_ports", "--quiet"))
    for _ in range(rounds):
        ours.append(wall(OURS))
        ansible.append(_ansible(programs))
        testinfra.append(_testinfra(programs))
    wall((*LAB, "down"))
    return ours, ansible, testinfra


def _hundred(rounds: int) -> list[Used]:
    """
    The ports of a hundred hosts are not proven first, which takes long: checks that go by that proof are unproven, and
    nothing else.
    """
    _up("100")
    runs = []
    for _ in range(rounds):
        runs.append(used(OURS, (UNKNOWN,)))
        wrong = [outcome["host"] for outcome in _outcomes() if outcome["status"] in ("drift", "failed", "missing")]
        if wrong:
            raise RuntimeError(f"not every host was as declared: {', '.join(wrong[:5])}")
    wall((*LAB, "down"))
    return runs


def _outcomes() -> list[dict[str, Any]]:
    report = selected().inventory / "reports/latest-compliance/report.json"
    outcomes: list[dict[str, Any]] = json.loads(report.read_text("utf-8"))["outcomes"]
    return outcomes


def _up(profile: str) -> None:
    """Boot a lab whose hosts are as declared."""
    wall((*LAB, "down"))
    wall((*LAB, "up", "--profile", profile))
    wall((*RUN, PYTHON, "-m", "flows.firewall", "--quiet"))


def _ansible(programs: Path) -> float:
    site = load_site(selected().inventory)
    with peers.described(site) as folder:
        arguments = f"-F {folder}/ssh_config -o ControlMaster=auto -o ControlPersist=30s"
        environment = {
            "ANSIBLE_CONFIG": str(peers.THEIRS / "ansible.cfg"),
            "ANSIBLE_HOME": str(folder),
            "ANSIBLE_SSH_ARGS": arguments,
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder),
        }
        forks = str(len(site.servers))
        argv = (str(programs / "ansible-playbook"), "-i", str(folder / "inventory"), "-f", forks)
        return wall((*RUN, *argv, str(peers.THEIRS / "playbook.yaml")), environment=environment)


def _testinfra(programs: Path) -> float:
    site = load_site(selected().inventory)
    with peers.described(site) as folder:
        hosts = ",".join(f"ssh://{machine.name}" for machine in site.servers)
        workers = str(4 * (os.cpu_count() or 1))
        argv = (str(programs / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--sudo")
        spread = ("-n", workers, "--dist", "loadgroup", f"--hosts={hosts}", f"--ssh-config={folder}/ssh_config")
        kept = f"--ssh-extra-args=-o ControlPath={folder}/%n"
        test = str(peers.THEIRS / "test_hosts.py")
        return wall((*RUN, *argv, *spread, kept, test), environment={"THEIRS": str(folder)})
