"""Bare hosts made a cluster: ours beside kubeadm alone with the same configurations, on the same hosts, in turn."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from pydantic import SecretStr

from benchmarks.figure import Figure, wall
from lab.instance import selected
from model.bundle.bundle import load_bundle
from model.site.load import load_site
from model.site.site import Site
from tasks import cni, endpoint, invitation, kubeadm_config
from tests.cluster.lab_cluster import LabCluster
from tests.lab.driver import Lab

PYTHON = sys.executable
LAB = (PYTHON, "-m", "lab")
RUN = (*LAB, "run", "--")
BOOTSTRAP = (*RUN, PYTHON, "-m", "flows.bootstrap", "--quiet")
HERE = Path(__file__).parent
# What both sides measure; everything else is `bootstrap_other_phases_s`.
_COMPARED = ("endpoint", "init", "control-planes", "workers", "cni")


def measure(rounds: int) -> list[Figure]:
    """Make a small cluster anew for the whole time, then again and again from installed packages, each side in turn."""
    wall((*LAB, "down"))
    wall((*LAB, "up", "--profile", "small", "--bare"))
    total = wall(BOOTSTRAP)
    other = sum(seconds for phase, seconds in _phases().items() if phase not in _COMPARED)
    unchanged = [wall(BOOTSTRAP) for _ in range(rounds)]
    site = load_site(selected().inventory)
    # Whoever holds the endpoint's address is among them.
    running = LabCluster(Lab(selected().name))
    silent = [running.without(machine.name, "w-1")[0] for machine in site.control_planes]
    ours, theirs = [], []
    with _folder(site) as folder:
        for _ in range(rounds):
            _reset(site)
            theirs.append(wall((*RUN, "bash", str(HERE / "bare-kubeadm.sh"), str(folder))))
            _reset(site)
            ours.append(wall((*BOOTSTRAP, "--from", "endpoint", "--to", "cni")) + _await_ready(site))
    wall((*LAB, "down"))
    return [
        Figure(
            "bootstrap_vs_bare_kubeadm", median(ours) / median(theirs), "ratio", "kubeadm in a shell script", rounds
        ),
        Figure("bootstrap_other_phases_s", other, "s", "", 1),
        Figure("bootstrap_nochange_s", median(unchanged), "s", "", rounds),
        Figure("bootstrap_total_s", total, "s", "", 1),
        Figure("api_failover_s", max(silent), "s", "", len(silent)),
        Figure("bootstrap_endpoint_to_ready_s", median(ours), "s", "", rounds),
        Figure("bare_kubeadm_s", median(theirs), "s", "", rounds),
    ]


def _phases() -> dict[str, float]:
    report: dict[str, Any] = json.loads(
        (selected().inventory / "reports/latest-bootstrap/report.json").read_text("utf-8")
    )
    return {phase["phase"]: phase["seconds"] for phase in report["phases"]}


def _reset(site: Site) -> None:
    for machine in site.servers:
        if machine.node:
            wall((*LAB, "shell", machine.name, "--", "sh", "-c", (HERE / "reset-node.sh").read_text("utf-8")))


def _await_ready(site: Site) -> float:
    first = next(machine.name for machine in site.control_planes)
    words = ("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=300s")
    return wall((*LAB, "shell", first, "--", "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", *words))


@contextmanager
def _folder(site: Site) -> Iterator[Path]:
    """Write what the script needs, from the very functions that bootstrap uses."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o700)
        for file, text in _texts(site).items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        yield folder


def _texts(site: Site) -> dict[str, str]:
    nodes = [machine for machine in site.servers if machine.node]
    planes = [machine for machine in nodes if machine.node == "control_plane"]
    bundle = load_bundle(site_bundle(site))
    invited = invitation.Invitation(SecretStr("TOKEN"), "HASH")
    pods = [ip_network("192.0.2.0/24"), ip_network("2001:db8::/64")]
    conflist = cni.conflist(site, planes[0], pods).files[0].text
    manifests = cni.manifests(site, cni.NetworkSource(image=bundle.image("flannel").reference))
    texts = {
        "ssh_config": _ssh_config(site),
        "planes": "".join(f"{machine.name}\n" for machine in planes),
        "workers": "".join(f"{machine.name}\n" for machine in nodes if machine not in planes),
        "init.yaml": kubeadm_config.init_config(site, planes[0], bundle.kubernetes),
        "conflist": conflist.replace(str(pods[0]), "CIDR4").replace(str(pods[1]), "CIDR6"),
        "flannel.yaml": yaml.safe_dump_all(manifests),
        "label": f"{cni.CHOSEN}=true",
    }
    for machine in nodes:
        texts[f"join-{machine.name}.yaml"] = kubeadm_config.join_config(site, machine, invited)
        texts[f"annotations-{machine.name}"] = " ".join(
            f"{name}={machine.speaks(version)}" for version, name in cni.PUBLIC.items()
        )
    for machine in planes:
        files = [
            *endpoint.desired(site, machine, "eth0", SecretStr("password")).files,
            *kubeadm_config.before_control_plane(SecretStr("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")).files,
        ]
        texts |= {f"endpoint-{machine.name}{file.path}": file.text for file in files}
    return texts


def site_bundle(site: Site) -> Path:
    """Return the folder of the bundle that the lab's site names."""
    return selected().inventory / str(site.settings.kubernetes.bundle)


def _ssh_config(site: Site) -> str:
    instance = selected()
    hosts = "".join(f"Host {machine.name}\n  HostName {machine.hostname}\n" for machine in site.servers)
    common = (
        f"Host *\n  User root\n  IdentityFile {instance.key}\n  UserKnownHostsFile {instance.inventory}/known_hosts\n"
        "  StrictHostKeyChecking yes\n  LogLevel ERROR\n  ControlMaster auto\n  ControlPersist 60\n"
        f"  ControlPath {instance.home}/%n.control\n"
    )
    return hosts + common
