"""Processes of pods, as the machine sees them: hosts of a lab are its containers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def processes_of(pods: Sequence[dict[str, Any]]) -> list[int]:
    """Return every process of these pods, those of their sandboxes too."""
    uids = [pod["metadata"]["uid"] for pod in pods]
    found = [path for path in Path("/proc").glob("[0-9]*") if any(uid in _groups(path) for uid in uids)]
    assert found, f"no process of {uids}"
    return [int(path.name) for path in found]


def _groups(process: Path) -> str:
    try:
        return (process / "cgroup").read_text("utf-8")
    except OSError:
        return ""
