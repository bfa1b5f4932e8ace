"""A flow that does nothing, in a copy of the reference site."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from flows._run.folder import runs
from flows._run.lifecycle import Context, FlowResult, run_flow
from flows._run.options import Options
from model.report.outcome import Outcome, Status

ROOT = Path(__file__).parents[2]
SITE_FILES = ("site.yaml", "hosts.yaml", "groups.yaml", "defaults.yaml", "ports.yaml")


def site(folder: Path) -> Path:
    """Copy the reference site into a new folder."""
    target = folder / "site"
    target.mkdir()
    for name in SITE_FILES:
        shutil.copy(ROOT / "inventory" / name, target / name)
    return target


def every(status: Status) -> Callable[[Context], FlowResult]:
    """Return a body that gives all selected hosts one outcome."""
    return lambda context: FlowResult(tuple(Outcome(host, "thing", status, "told") for host in context.hosts))


def conducted(folder: Path, body: Callable[[Context], FlowResult], **flags: Any) -> tuple[int, dict[str, Any]]:
    """Run a body as flow `trial`; return the exit code and the report of its folder."""
    changes = flags.pop("changes", False)
    code = run_flow("trial", replace(Options(inventory=folder), **flags), body, changes=changes)
    return code, json.loads((runs(folder, "trial")[-1] / "report.json").read_text())
