"""A rollout of small components in a copy of the reference site, on an API server in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows._rollout.rollout import rollout
from flows._rollout.run import RolloutRequest
from flows._run.folder import runs
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from model.rollout.render import render_component
from model.rollout.rendered import RenderedComponent
from model.site.components import Component
from model.site.site import Site
from remote.gates.gate import GateContext, GateResult
from tasks.secrets.identity import make_identity
from tests.flows.plumbing import site
from tests.remote.memory_api import Manifest, MemoryApi

_SECRETS = """
secrets:
  - {name: rollout-hash, title: a, namespace: space, consumers: [ground], keys: {key: {kind: hex}}}
  - {name: redis, title: a, namespace: space, consumers: [ground], keys: {password: {kind: password}}}
"""
SPACE: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "space"}}
# Before a component's name: where its inventory is kept.
INVENTORY = "/api/v1/namespaces/matrix-fleet/configmaps/matrix-fleet-inventory-"


class Stage:
    """The site, its components and what they render, the server, and gates by name."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = site(folder)
        (self.folder / "secrets.yaml").write_text(_SECRETS, "utf-8")
        self.api = MemoryApi()
        self.objects: dict[str, list[Manifest]] = {}
        self.files: dict[str, Mapping[str, str]] = {}
        self.gates: dict[str, Any] = {}
        # Where `--events` writes.
        self.events: str | None = None
        # Components that are made of the project's own templates.
        self.real: frozenset[str] = frozenset()
        identity = make_identity(folder / "identity")
        monkeypatch.setenv("MATRIX_FLEET_IDENTITY", str(identity.path))
        # Lint looks for a template of every component.
        monkeypatch.setattr("model.check.lint.subjects.components.TEMPLATES", folder / "templates")
        self.templates = folder / "templates" / "manifests"
        monkeypatch.setattr("flows._rollout.material.render_component", self._rendered)
        monkeypatch.setattr("remote.kube.open_cluster", self._opened)
        monkeypatch.setattr("flows._rollout.component_work.GATE_PATIENCE", 0.0)
        monkeypatch.setattr("flows._rollout.gates.gate_of", lambda name: self.gates.get(name))

    def components(self, **needs: Sequence[str]) -> None:
        """Declare components by what they need; each has a gate of its own name."""
        rows = [
            {"name": name, "phase": 1, "title": name, "needs": list(need), "gates": [name]}
            for name, need in needs.items()
        ]
        (self.folder / "components.yaml").write_text(yaml.safe_dump({"components": rows}), "utf-8")
        for name in needs:
            self.objects.setdefault(name, [settings(name)])
            (self.templates / name).mkdir(parents=True, exist_ok=True)
            (self.templates / name / "objects.yaml.j2").touch()

    def run(self, *, dry_run: bool = False, verbose: bool = False, **asked: Any) -> tuple[int, dict[str, Any]]:
        """Roll out, without a word unless `verbose`; return the exit code and the report."""
        options = Options(
            inventory=self.folder, dry_run=dry_run, events=self.events, quiet=not verbose, verbose=verbose
        )
        request = RolloutRequest(**asked)
        code = run_flow("rollout", options, lambda context: rollout(context, request), changes=True)
        return code, json.loads((runs(self.folder, "rollout")[-1] / "report.json").read_text("utf-8"))

    def _rendered(self, known: Site, component: Component, *rest: Any, **more: Any) -> RenderedComponent:
        if component.name in self.real:
            return render_component(known, component, *rest, **more)
        objects = tuple(json.loads(json.dumps(manifest)) for manifest in self.objects[component.name])
        return RenderedComponent(component=component, objects=objects, files=self.files.get(component.name, {}))

    @contextmanager
    def _opened(self, *_: object) -> Iterator[Any]:
        yield self.api.cluster()


def settings(name: str, **data: str) -> Manifest:
    """A ConfigMap."""
    meta = {"name": name, "namespace": "space", "labels": {"app.kubernetes.io/managed-by": "matrix-fleet"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data or {"a": "1"}}


def outcomes(report: Mapping[str, Any], status: str) -> dict[str, str]:
    """Messages by subject of the outcomes of one status."""
    return {row["subject"]: row["message"] for row in report["outcomes"] if row["status"] == status}


def by_name(report: Mapping[str, Any], part: str = "components") -> dict[str, Any]:
    """The report's components or gates by name."""
    return {row["name"]: row for row in report[part]}


def good(_context: GateContext) -> GateResult:
    from model.report.outcome import Status

    return GateResult(status=Status.OK, why="seen to work")
