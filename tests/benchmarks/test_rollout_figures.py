"""What gates cost a rollout is what its longest chain of components is longer by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks.rollout import spent_on_gates
from model.site.components import Component
from tests.mutation import loaded


def _report(seconds: Mapping[str, float], gate: float) -> dict[str, Any]:
    return {
        "components": [{"name": name, "seconds": value} for name, value in seconds.items()],
        "gates": [{"name": "redis", "component": "long", "seconds": gate}],
    }


def test_a_gate_costs_what_the_longest_chain_is_longer_by() -> None:
    known = loaded()
    parts = (
        Component(name="ground", phase=1, title="t"),
        Component(name="long", phase=1, title="t", needs=("ground",), gates=("redis",)),
        Component(name="short", phase=1, title="t", needs=("ground",)),
        Component(name="roof", phase=2, title="t", needs=("long", "short")),
    )
    site = replace(known, application=replace(known.application, components=parts))
    seconds = {"ground": 1.0, "long": 40.0, "short": 5.0, "roof": 3.0}
    report = _report(seconds, gate=30.0)
    assert spent_on_gates(site, report) == 30
    seconds["short"] = 25.0
    assert spent_on_gates(site, _report(seconds, gate=30.0)) == 40 - 25
