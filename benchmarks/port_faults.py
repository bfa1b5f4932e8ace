"""Drawn faults of netfilter: how many were tried, and how often the proof of the ports told them wrongly."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure, wall

PYTEST = (sys.executable, "-m", "pytest", "-q", "tests/lab/test_port_faults.py", "-k", "many")
_EACH_ROUND = 100
_COUNTED = {
    "port_faults_changing": ("runs that change anything", "faults"),
    "port_faults_wrong_green": ("wrong green", "faults"),
    "port_faults_wrong_red": ("wrong red", "faults"),
    "port_faults_wrong_culprit": ("wrong culprit", "faults"),
    "port_faults_unnamed_rule": ("rule not named", "faults"),
    "port_faults_places": ("places right", "ports"),
    "port_faults_unproven": ("places unproven", "ports"),
}


def measure(rounds: int) -> list[Figure]:
    """Try a hundred faults a round, all of one seed; what goes wrong is a figure, and no reason to stop."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger.json"
        wall((*PYTEST, "--port-faults", str(_EACH_ROUND * rounds), "--port-faults-ledger", str(ledger)), good=(0, 1))
        return figures(json.loads(ledger.read_text("utf-8")))


def figures(counted: Mapping[str, Any]) -> list[Figure]:
    """Return the figures of a ledger; `n` is the number of faults that were tried."""
    runs = int(counted["runs"])
    return [Figure(name, float(counted[key]), unit, "", runs) for name, (key, unit) in _COUNTED.items()]
