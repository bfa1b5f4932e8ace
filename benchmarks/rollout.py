"""The application on a cluster: ours beside kubectl with the same objects, order, hosts, and images in place."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from benchmarks.figure import Figure, Used, machine_cpu_seconds, used, wall
from flows._rollout.material import site_bundle
from lab.instance import selected
from model.kubernetes.manifests import Manifest
from model.rollout.graph import active
from model.rollout.render import render_site, upstream_of
from model.rollout.rendered import RenderedComponent
from model.site.load import load_site
from model.site.site import Site
from tasks.rollout.declaring import Declaring
from tasks.secrets.store import open_store

PYTHON = sys.executable
LAB = (PYTHON, "-m", "lab")
RUN = (*LAB, "run", "--")
ROLLOUT = (*RUN, PYTHON, "-m", "flows.rollout", "--quiet")
VALIDATE = (*RUN, PYTHON, "-m", "flows.validate", "--quiet", "--gate", "message")
HERE = Path(__file__).parent
# In memory: there are secrets among the objects.
_FOLDER = "/dev/shm/objects"  # noqa: S108 - of a lab's control plane
_KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")


def measure(rounds: int) -> list[Figure]:
    """Roll out on a fresh cluster, then again; then the same objects by kubectl on a cluster that is as fresh."""
    try:
        return _measure(rounds)
    finally:
        # With the lab goes what a control plane was handed, secrets among it.
        wall((*LAB, "down"))


def _measure(rounds: int) -> list[Figure]:
    _fresh_cluster()
    first = _measured(ROLLOUT)
    report = _report("rollout")
    site = load_site(selected().inventory)
    wall(VALIDATE)
    (message,) = (gate["figures"] for gate in _report("validate")["gates"] if gate["name"] == "message")
    _hand_over(site)
    # In turn: the cluster itself has more to do at one time than at another.
    pairs = [(wall(ROLLOUT), wall((*LAB, "shell", "cp-1", "--", *_diff()))) for _ in range(rounds)]
    unchanged, looked = (list(side) for side in zip(*pairs, strict=True))
    ours = first.seconds - spent_on_gates(site, report)
    _fresh_cluster()
    _hand_over(site)
    theirs = wall((*LAB, "shell", "cp-1", "--", "sh", f"{_FOLDER}/apply.sh", _FOLDER))
    return [
        Figure("rollout_total_s", first.seconds, "s", "", 1),
        Figure("rollout_cpu_s", first.cpu_seconds, "s", "", 1),
        Figure("rollout_objects", sum(part["objects"] for part in report["components"]), "objects", "", 1),
        Figure("rollout_nochange_s", median(unchanged), "s", "", rounds),
        Figure(
            "rollout_nochange_vs_kubectl_diff",
            median(unchanged) / median(looked),
            "ratio",
            "kubectl diff --server-side",
            rounds,
        ),
        Figure("rollout_vs_kubectl_apply", ours / theirs, "ratio", "kubectl apply and kubectl rollout status", 1),
        Figure("kubectl_diff_s", median(looked), "s", "", rounds),
        Figure("kubectl_apply_s", theirs, "s", "", 1),
        Figure("message_latency_p50_ms", message["latency_p50_ms"], "ms", "", int(message["sent"])),
        Figure("message_latency_p99_ms", message["latency_p99_ms"], "ms", "", int(message["sent"])),
    ]


def spent_on_gates(site: Site, report: Mapping[str, Any]) -> float:
    """Return by how many seconds a rollout would have ended sooner without its gates; all else it did stays in it."""
    tried: dict[str, float] = {}
    for gate in report["gates"]:
        tried[gate["component"]] = tried.get(gate["component"], 0.0) + gate["seconds"]
    took = {part["name"]: part["seconds"] for part in report["components"]}
    return _longest_chain(site, took) - _longest_chain(site, {name: took[name] - tried.get(name, 0.0) for name in took})


def _longest_chain(site: Site, took: Mapping[str, float]) -> float:
    ended: dict[str, float] = {}
    for component in active(site):
        began = max((ended[need] for need in component.needs if need in ended), default=0.0)
        ended[component.name] = began + took.get(component.name, 0.0)
    return max(ended.values())


def _fresh_cluster() -> None:
    wall((*LAB, "down"))
    wall((*LAB, "up", "--profile", "matrix", "--bare"))
    wall((*RUN, PYTHON, "-m", "flows.bootstrap", "--quiet"))
    wall((*RUN, PYTHON, "-m", "benchmarks.stage_images"))


def _measured(argv: Sequence[str]) -> Used:
    """Return what a command took; its CPU time is that of the whole machine, since the cluster works for it."""
    before = machine_cpu_seconds()
    took = used(argv)
    return Used(took.seconds, machine_cpu_seconds() - before, took.peak_mb)


def _report(flow: str) -> dict[str, Any]:
    text = (selected().inventory / f"reports/latest-{flow}/report.json").read_text("utf-8")
    report: dict[str, Any] = json.loads(text)
    return report


def _diff() -> tuple[str, ...]:
    """Return a command that compares every object; what differs is no failure."""
    diff = (*_KUBECTL, "diff", "--server-side", "--force-conflicts", "--field-manager=matrix-fleet", "-R")
    return ("sh", "-c", f"{' '.join(diff)} -f {_FOLDER}/components >/dev/null || test $? = 1")


def _hand_over(site: Site) -> None:
    """Give a control plane every object as a rollout sends it, a folder a component, and the script for them."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in _files(site):
            info = tarfile.TarInfo(name)
            content = text.encode()
            info.size, info.mode = len(content), 0o600
            tar.addfile(info, io.BytesIO(content))
    unpack = f"rm -rf {_FOLDER} && mkdir -m 700 {_FOLDER} && tar -C {_FOLDER} -xf -"
    subprocess.run((*LAB, "shell", "cp-1", "--", "sh", "-c", unpack), input=archive.getvalue(), check=True)


def _files(site: Site) -> Iterator[tuple[str, str]]:
    folder, bundle = site_bundle(site, selected().inventory)
    if folder is None or bundle is None:
        raise RuntimeError("the lab's site names no bundle")
    rendered = render_site(site, bundle, upstream_of(bundle, folder))
    declaring = Declaring(open_store(site).value)
    declaring.fill(rendered)
    for number, part in enumerate(rendered):
        yield f"components/{number:02}-{part.name}/objects.yaml", _texts(declaring, part)
    yield "apply.sh", (HERE / "kubectl-apply.sh").read_text("utf-8")


def _texts(declaring: Declaring, part: RenderedComponent) -> str:
    objects: list[Manifest] = [entry.manifest for entry in declaring.declared(part.name)]
    return yaml.dump_all(objects, Dumper=yaml.CSafeDumper, sort_keys=False)
