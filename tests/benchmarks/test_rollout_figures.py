"""What a rollout takes without its gates is its longest chain of components, each less what its gates took."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.rollout import without_gates
from model.site.components import Component
from model.site.load import load_site
from tests.mutation import REFERENCE


def test_side_by_side_components_count_once_and_gates_not_at_all() -> None:
    known = load_site(REFERENCE)
    parts = (
        Component(name="ground", phase=1, title="t"),
        Component(name="long", phase=1, title="t", needs=("ground",), gates=("redis",)),
        Component(name="short", phase=1, title="t", needs=("ground",)),
        Component(name="roof", phase=2, title="t", needs=("long", "short")),
    )
    site = replace(known, application=replace(known.application, components=parts))
    seconds = {"ground": 1.0, "long": 40.0, "short": 5.0, "roof": 3.0}
    report = {
        "components": [{"name": name, "seconds": value} for name, value in seconds.items()],
        "gates": [{"name": "redis", "component": "long", "seconds": 30.0}],
    }
    assert without_gates(site, report) == 1 + 10 + 3
