"""The whole checklist on 17 and on 100 real hosts, beside Ansible and testinfra with the same facts and judgements on the same hosts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from statistics import median

from benchmarks import peers
from benchmarks.figure import Figure, Used, used, wall
from lab.instance import selected
from model.load import load_site

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
    for _ in range(rounds):
        ours.append(wall(OURS))
        ansible.append(_ansible(programs))
        testinfra.append(_testinfra(programs))
    wall((*LAB, "down"))
    return ours, ansible, testinfra


def _hundred(rounds: int) -> list[Used]:
    _up("100")
    found = [used(OURS) for _ in range(rounds)]
    wall((*LAB, "down"))
    return found


def _up(profile: str) -> None:
    """Boot a lab whose hosts are as declared: every check is good, on either side."""
    wall((*LAB, "down"))
    wall((*LAB, "up", "--profile", profile))
    wall((*RUN, PYTHON, "-m", "flows.firewall", "--quiet"))
    wall((*RUN, PYTHON, "-m", "flows.verify_ports", "--quiet"))


def _ansible(programs: Path) -> float:
    site = load_site(selected().inventory)
    with peers.told(site) as folder:
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
    with peers.told(site) as folder:
        hosts = ",".join(f"ssh://{machine.name}" for machine in site.servers)
        workers = str(4 * (os.cpu_count() or 1))
        argv = (str(programs / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--sudo")
        spread = ("-n", workers, "--dist", "loadgroup", f"--hosts={hosts}", f"--ssh-config={folder}/ssh_config")
        kept = f"--ssh-extra-args=-o ControlPath={folder}/%n"
        test = str(peers.THEIRS / "test_hosts.py")
        return wall((*RUN, *argv, *spread, kept, test), environment={"THEIRS": str(folder)})
