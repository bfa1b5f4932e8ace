"""Seventeen real hosts: the first firewall, the run that changes nothing, and the proof of every port's boundaries."""

from __future__ import annotations

import sys
from statistics import median

from benchmarks.figure import Figure, wall

PYTHON = sys.executable
LAB = (PYTHON, "-m", "lab")
RUN = (*LAB, "run", "--", PYTHON, "-m")


def measure(rounds: int) -> list[Figure]:
    """Boot the reference lab anew for each round, so that ufw is installed but inactive before the first apply."""
    first, second, boundaries = [], [], []
    for _ in range(rounds):
        wall((*LAB, "down"))
        wall((*LAB, "up", "--profile", "reference"))
        first.append(wall((*RUN, "flows.firewall", "--quiet")))
        second.append(wall((*RUN, "flows.firewall", "--quiet")))
        boundaries.append(wall((*RUN, "flows.verify_ports", "--quiet")))
    wall((*LAB, "down"))
    return [
        Figure("firewall_17_s", median(first), "s", "", rounds),
        Figure("firewall_17_nochange_s", median(second), "s", "", rounds),
        Figure("verify_boundaries_17_s", median(boundaries), "s", "", rounds),
    ]
