"""A lab whose cluster carries the application, and a copy of the program that brings something else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from model.checkout import ROOT
from tests.cluster.lab_cluster import LONG, LabCluster

_TRIALS = Path(__file__).with_name("trials")
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "docs", "tests", "__pycache__", ".*_cache", "reports", "state")
_IMAGE = "@@IMAGE@@"
# Controllers write these in the name of what we applied: they are theirs.
_ELSEWHERE = frozenset({"events", "events.events.k8s.io", "endpoints", "endpointslices.discovery.k8s.io", "pods"})


@dataclass(frozen=True)
class MatrixLab(LabCluster):
    """The lab, its cluster, and what the rollout brought into it."""

    def owned(self, *kinds: str) -> dict[str, dict[str, Any]]:
        """Return every object of these kinds that a rollout applied, by `Kind/namespace/name`."""
        items = self.objects(",".join(kinds), "-A", "-l", "app.kubernetes.io/managed-by=matrix-fleet")
        return {name_of(item): item for item in items}

    def versions(self) -> dict[str, str]:
        """
        Return the resource version of every object that a rollout applied, in the namespaces and beyond, and of its own
        records.
        """
        listed = self.kubectl("api-resources", "--verbs=list", "-o", "name").split()
        kinds = [kind for kind in listed if kind not in _ELSEWHERE]
        items = list(self.owned(*kinds).values()) + self.objects("configmaps", "-n", "matrix-fleet")
        return {name_of(item): item["metadata"]["resourceVersion"] for item in items}

    def changed(self, *flags: str, seconds: float = LONG) -> tuple[int, dict[str, str]]:
        """Roll out with these flags; return the exit code and what was or would be done, by the report's subjects."""
        code, report = self.flow("rollout", *flags, seconds=seconds)
        done = ("drift", "changed", "failed")
        return code, {entry["subject"]: entry["message"] for entry in report["outcomes"] if entry["status"] in done}


@dataclass(frozen=True)
class Copy:
    """A copy of the program's checkout whose components are others."""

    cluster: LabCluster
    folder: Path

    def rollout(self, *flags: str) -> tuple[int, dict[str, Any]]:
        """Run the copy's rollout as the controller; return its exit code and report."""
        done = self._run("--json", "-", *flags)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def verbose(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run the copy's rollout with all that it has to say."""
        return self._run("-v", *flags)

    def _run(self, *flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (sys.executable, "-m", "lab", "run", "--", sys.executable, "-m", "flows.rollout", *flags),
            cwd=self.folder,
            env=self.cluster.lab.environment,
            capture_output=True,
            text=True,
            timeout=LONG,
            check=False,
        )

    @cached_property
    def components(self) -> tuple[str, ...]:
        """The names of the components that the copy brings."""
        return tuple(path.name for path in sorted(_TRIALS.iterdir()) if path.is_dir())


def name_of(item: dict[str, Any]) -> str:
    """Return how tests call an object."""
    meta = item["metadata"]
    return f"{item['kind']}/{meta.get('namespace', '-')}/{meta['name']}"


def copied(cluster: LabCluster, folder: Path) -> Copy:
    """Copy the checkout, its own components replaced by the trials."""
    shutil.copytree(ROOT, folder, ignore=_LEFT_OUT)
    shutil.copy(_TRIALS / "components.yaml", folder / "inventory" / "components.yaml")
    _consumed_by_nobody(folder / "inventory" / "secrets.yaml")
    (deployment,) = cluster.objects("deployments", "-n", "kube-system", "-l", "k8s-app=kube-dns")
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    for place in (path for path in _TRIALS.iterdir() if path.is_dir()):
        target = folder / "templates" / "manifests" / place.name
        target.mkdir()
        for file in place.iterdir():
            (target / file.name).write_text(file.read_text("utf-8").replace(_IMAGE, image), "utf-8")
    return Copy(cluster, folder)


def _consumed_by_nobody(path: Path) -> None:
    """The components that secrets are for are not in the copy."""
    document = yaml.safe_load(path.read_text("utf-8"))
    for secret in document["secrets"]:
        secret["consumers"] = []
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
