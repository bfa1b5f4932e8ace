"""Charts of publishers' modules as the one file that the publisher renders of them for those who have no Helm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import yaml

from lab import once
from lab.bundle import compiling, modules, toolchain
from lab.bundle.ingredients import Chart, GoComponent
from lab.commands import call
from lab.errors import LabError
from lab.instance import CACHE

RENDERER = Path(__file__).with_name("chart") / "chart.go"
RENDERED = "rendered.yaml"
_SECONDS = 300


def key(component: GoComponent, chart: Chart) -> str:
    """Digest of everything that decides what is rendered."""
    digest = hashlib.sha256(json.dumps([asdict(chart), compiling.key(component)]).encode())
    for source in (RENDERER, Path(__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def ensure(component: GoComponent, chart: Chart, programs: Path, say: once.Say) -> Path:
    """
    Return the file of a chart's objects, rendering them first if this machine has not done so.

    `programs` is the folder of the compiled component, in which the files lie that it keeps of its module.
    """

    def build(draft: Path) -> None:
        go = modules.Go(toolchain.ensure(say), compiling.environment(component))
        source = modules.source(component, compiling.MODULES / component.folder, go)
        files = templates(source, programs / modules.KEPT, chart)
        known = knowledge(source, chart, f"v{compiling.version(component)}")
        (draft / RENDERED).write_text(render(go, files, known), "utf-8")

    return once.ensure(CACHE / "charts" / f"{chart.name}-{key(component, chart)}", build, say) / RENDERED


def templates(source: Path, kept: Path, chart: Chart) -> tuple[Path, ...]:
    """Return the files to render in the publisher's order; raises LabError where the module has not one of them."""
    folder = source / chart.folder / "templates"
    files = (*(source / name for name in chart.before), *sorted(kept.rglob("*.yaml")))
    files += (*sorted(folder.glob("*.tpl")), *sorted(folder.glob("*.yaml")))
    if missing := [path for path in (*files, folder) if not path.exists()]:
        raise LabError(f"the module has no {missing[0]}: lab/bundle/application.py names a chart of another version")
    return files


def knowledge(source: Path, chart: Chart, version: str) -> dict[str, object]:
    """Return what templates may know, as Helm calls it."""
    own = yaml.safe_load((source / chart.folder / "values.yaml").read_text("utf-8"))
    return {
        "Values": merged(own, chart.values),
        "Chart": {"Name": chart.name, "Version": version, "AppVersion": version},
        "Release": {"Name": chart.name, "Namespace": chart.name, "Service": "Helm"},
    }


def merged(own: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    """Return values of which the other ones count, however deep they lie."""
    found = dict(own)
    for name, value in other.items():
        inner = found.get(name)
        found[name] = merged(inner, value) if isinstance(value, Mapping) and isinstance(inner, Mapping) else value
    return found


def render(go: modules.Go, files: tuple[Path, ...], known: Mapping[str, object]) -> str:
    """Return the objects; raises LabError with the template's place where one cannot be rendered."""
    argv = (str(go.program), "run", str(RENDERER), *map(str, files))
    return call(argv, json.dumps(known), seconds=_SECONDS, extra=go.environment)
