"""Processes of pods, as the machine sees them: hosts of a lab are its containers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def processes_of(pods: Sequence[dict[str, Any]]) -> list[int]:
    """Return every process of these pods, those of their sandboxes too."""
    uids = [pod["metadata"]["uid"] for pod in pods]
    groups = {int(path.name): groups_of(path) for path in Path("/proc").glob("[0-9]*")}
    found = [process for process, text in groups.items() if any(uid in text for uid in uids)]
    assert found, f"no process of {uids}"
    return found


def groups_of(process: Path) -> str:
    """Return the control groups of a process, nothing where it has ended."""
    try:
        return (process / "cgroup").read_text("utf-8")
    except OSError:
        return ""
