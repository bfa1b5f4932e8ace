"""Claims about the checks that ask how gates came out: old, failed and never tried is not good."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from checks.check import ComplianceView
from checks.subjects import gates
from flows._compliance.sources import latest_gates
from model.check.finding import Verdict
from model.report.gate_record import GateRecord, newest
from model.report.outcome import Status
from model.rollout.gates import places
from model.site.site import Site
from tests.checks.golden import CLUSTER, NOW, site, verdicts, view
from tests.mutation import loaded


def record(gate: str = "redis", status: Status = Status.OK, hours: int = 1) -> GateRecord:
    """Return how a gate came out."""
    wrong = ("two masters", "one link is down") if status == Status.DRIFT else ()
    ended = NOW - timedelta(hours=hours)
    return GateRecord(gate=gate, status=status, why="w", findings=wrong, run="R-validate", ended=ended)


def judged(**gate: GateRecord) -> Verdict:
    """Judge the gate of Redis."""
    return verdicts(view(gates={name.replace("_", "-"): found for name, found in gate.items()}))[
        "controller", "gates/redis"
    ]


def test_a_gate_that_was_good_lately_is_good() -> None:
    assert judged(redis=record()).good == "w (R-validate)"


def test_a_gate_that_found_something_is_a_finding_each() -> None:
    verdict = judged(redis=record(status=Status.DRIFT))
    assert [finding.message for finding in verdict.findings] == ["two masters", "one link is down"]
    assert "flows.validate --gate redis" in verdict.findings[0].remedy


@pytest.mark.parametrize("status", [Status.FAILED, Status.UNPROVEN, Status.MISSING])
def test_a_gate_that_could_not_be_tried_is_a_doubt(status: Status) -> None:
    assert judged(redis=record(status=status)).doubt == f"{status.value}: w (R-validate)"


def test_a_gate_of_long_ago_is_a_doubt() -> None:
    assert "last tried 7 days ago" in judged(redis=record(hours=169)).doubt


def test_a_gate_that_was_never_tried_is_a_doubt_once_others_were() -> None:
    assert "never tried" in judged(message=record("message")).doubt


def test_before_the_rollout_nothing_is_due() -> None:
    assert "comes with the rollout" in judged().pending


def test_an_application_that_runs_and_was_never_tried_is_a_doubt() -> None:
    def deployed(sections: Any) -> None:
        workload = next(item for item in sections["cluster"]["workloads"])
        workload["metadata"]["namespace"] = "matrix"

    seen = view(dict.fromkeys(("cp-1", "cp-2", "cp-3"), deployed), CLUSTER)
    assert "never tried" in verdicts(seen)["controller", "gates/redis"].doubt


@pytest.mark.parametrize(
    ("gate", "part"), [("element-web", "element-web"), ("push", "sygnal"), ("metrics", "metrics-server")]
)
def test_a_gate_of_what_is_wanted_and_nobody_deploys_is_a_doubt(gate: str, part: str) -> None:
    known = site()
    features = known.settings.features.model_copy(update={"push_notifications": True, "autoscaling": True})
    settings = known.settings.model_copy(update={"features": features})
    # As in a components.yaml of a time before there was any of it.
    rest = tuple(
        component
        for component in known.components
        if component.name != part and gate not in component.gates_of(settings.active)
    )
    wanting = replace(
        known,
        settings=settings,
        application=replace(known.application, components=rest),
    )
    assert f"nothing of the site deploys {part}" in gates.gate(gate, replace(view(), site=wanting)).doubt


def test_every_gate_of_the_site_has_a_check() -> None:
    known = {check.id.partition("/")[2] for check in gates.CHECKS}
    assert {place.gate for place in places(site())} <= known


def _storage(site_: Site, **values: Any) -> ComplianceView:
    storage = site_.settings.object_storage.model_copy(update=values)
    return ComplianceView(
        site=replace(site_, settings=site_.settings.model_copy(update={"object_storage": storage})),
        now=NOW,
        gates={"redis": record()},
    )


def test_objects_that_one_server_holds_alone_are_found() -> None:
    few = replace(site(), machines=tuple(machine for machine in site().machines if machine.name not in _STORES[1:]))
    assert gates.redundancy(_storage(few)).findings
    assert gates.redundancy(_storage(few, provider="minio")).findings
    assert gates.redundancy(_storage(few, provider="external")).good


@pytest.mark.parametrize(("ready", "says"), [(4, ""), (3, "3 of 4 servers for objects are ready"), (None, "0 of 4")])
def test_servers_for_objects_are_counted_in_the_cluster(ready: int | None, says: str) -> None:
    def running(sections: Any) -> None:
        workload = next(item for item in sections["cluster"]["workloads"])
        workload["kind"], workload["status"]["readyReplicas"] = "StatefulSet", ready
        workload["metadata"] |= {"namespace": "matrix", "name": "else" if ready is None else "seaweedfs-volume"}

    seen = view(dict.fromkeys(("cp-1", "cp-2", "cp-3"), running), CLUSTER)
    verdict = gates.redundancy(replace(seen, site=loaded()))
    assert bool(verdict.good) is not bool(says)
    assert [says in finding.message for finding in verdict.findings] == ([True] if says else [])


_STORES = tuple(machine.name for machine in site().with_purpose("objects"))


def report(gates_: list[Mapping[str, Any]], ended: str = "2026-11-26T06:00:00+00:00") -> dict[str, Any]:
    """Return a report of gates."""
    return {"schema": "matrix-fleet/report/1", "run": "R", "ended": ended, "gates": gates_}


GOOD = {"name": "redis", "status": "ok", "why": "new", "findings": []}


def test_the_newest_run_that_tried_a_gate_counts() -> None:
    skipped = report([GOOD | {"status": "not_run", "why": "proven before"}])
    found = newest([skipped, report([GOOD]), report([GOOD | {"why": "old"}])])
    assert found["redis"].why == "new"


def test_gates_are_read_from_reports_of_both_flows(tmp_path: Path) -> None:
    for name, content in (
        ("20261126T050000Z-rollout", json.dumps(report([GOOD | {"name": "synapse"}]))),
        ("20261126T060000Z-validate", json.dumps(report([GOOD]))),
        ("20261126T061000Z-validate", "half a rep"),
        ("20261126T062000Z-lint", json.dumps(report([GOOD | {"name": "dns"}]))),
    ):
        (tmp_path / "reports" / name).mkdir(parents=True)
        (tmp_path / "reports" / name / "report.json").write_text(content, "utf-8")
    assert set(latest_gates(tmp_path)) == {"synapse", "redis"}
    assert latest_gates(tmp_path / "nowhere") == {}
