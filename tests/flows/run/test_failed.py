"""`--limit @failed` names the hosts that the last run of the same flow was not good for, and never silently nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows import nodes
from flows._render.cell_notices import cell_notices
from flows._run.failed import expand_failed
from flows._run.lifecycle import Context, FlowResult
from model.errors import SelectionError
from model.report.outcome import Outcome, Status
from model.site.load import load_site
from tests.flows.plumbing import conducted, every, site


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return site(tmp_path)


def mixed(context: Context) -> FlowResult:
    statuses = dict(zip(("cp-1", "cp-2", "cp-3", "w-1", "w-2", "w-3", "db-1", "db-2"), Status, strict=True))
    return FlowResult(
        tuple(Outcome(host, "thing", statuses.get(host, Status.OK)) for host in context.hosts if host != "db-3")
    )


def last(folder: Path, **keys: Any) -> None:
    """Leave a report of a verification."""
    place = folder / "reports" / "latest-verify_ports"
    place.mkdir(parents=True)
    report = {"schema": "matrix-fleet/report/1", "run": "x", "exit": 2, "outcomes": []} | keys
    (place / "report.json").write_text(json.dumps(report))


def chosen(folder: Path, limit: str) -> list[str]:
    hosts: list[str] = []

    def body(context: Context) -> FlowResult:
        hosts.extend(context.hosts)
        assert "@" not in str(context.options.limit)
        return every(Status.OK)(context)

    code, _ = conducted(folder, body, limit=limit)
    assert code == 0
    return hosts


def test_it_is_every_host_whose_outcome_is_not_good(folder: Path) -> None:
    conducted(folder, mixed)
    # Drift, failed, unproven, missing, and one that nothing was heard of.
    assert chosen(folder, "@failed") == ["cp-3", "w-1", "w-2", "w-3", "db-3"]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("@failed,!w-1", ["cp-3", "w-2", "w-3", "db-3"]),
        (" @failed , li-1 ", ["cp-3", "w-1", "w-2", "w-3", "db-3", "li-1"]),
        ("worker,!@failed", ["st-1"]),
    ],
)
def test_it_stands_beside_other_terms(folder: Path, limit: str, expected: list[str]) -> None:
    conducted(folder, mixed)
    assert chosen(folder, limit) == expected


def test_without_an_earlier_run_it_is_refused(folder: Path) -> None:
    code, report = conducted(folder, lambda _context: pytest.fail("was run"), limit="@failed")
    assert code == 1
    assert "no run of trial has left a report" in report["outcomes"][0]["message"]
    assert "without @failed" in report["outcomes"][0]["next"]


def test_when_nobody_failed_it_is_refused(folder: Path) -> None:
    conducted(folder, every(Status.OK))
    code, report = conducted(folder, lambda _context: pytest.fail("was run"), limit="@failed")
    assert code == 1
    assert "failed for no host" in report["outcomes"][0]["message"]


@pytest.mark.parametrize("refused", ["db-11", "@failed"])
def test_a_refused_run_makes_nobody_forgotten(folder: Path, refused: str) -> None:
    conducted(folder, mixed)
    conducted(folder, every(Status.OK), limit="@failed")
    for _ in range(2):
        assert conducted(folder, lambda _context: pytest.fail("was run"), limit=refused)[0] == 1
    code, report = conducted(folder, lambda _context: pytest.fail("was run"), limit="@failed")
    assert (code, "failed for no host" in report["outcomes"][0]["message"]) == (1, True)
    conducted(folder, mixed)
    assert conducted(folder, lambda _context: pytest.fail("was run"), limit="db-11")[0] == 1
    assert chosen(folder, "@failed") == ["cp-3", "w-1", "w-2", "w-3", "db-3"]


def test_a_run_that_ended_in_an_error_after_hosts_were_asked_counts(folder: Path) -> None:
    def broken(context: Context) -> FlowResult:
        context.kept.append(Outcome("db-1", "thing", Status.FAILED))
        raise RuntimeError("of the controller")

    conducted(folder, mixed)
    assert conducted(folder, broken)[0] == 1
    assert chosen(folder, "@failed") == ["db-1"]


def test_only_refused_runs_are_as_good_as_none(folder: Path) -> None:
    conducted(folder, every(Status.OK), limit="db-11")
    code, report = conducted(folder, lambda _context: pytest.fail("was run"), limit="@failed")
    assert (code, "has asked any host" in report["outcomes"][0]["message"]) == (1, True)


@pytest.mark.parametrize("culprit", ["source", "source-egress", "destination-firewall", "path", "witness"])
def test_the_failed_host_of_a_cell_is_the_one_that_the_summary_names(folder: Path, culprit: str) -> None:
    expected = "w-1" if culprit.startswith("source") else "db-1"
    cell = {"from": "w-1", "to": "db-1", "verdict": "violation", "culprit": culprit, "plane": "host", "note": ""}
    cell |= {"address": "10.0.0.1", "protocol": "tcp", "expected": "open", "seen": "closed"}
    last(folder, cells=[cell | {"port_lo": 1, "port_hi": 1}])
    assert expand_failed("@failed", "verify_ports", load_site(folder), folder) == expected
    (notice,) = cell_notices([cell | {"port_lo": 1, "port_hi": 1}])
    assert notice.hosts == (expected,)


def test_another_flows_failures_do_not_count(folder: Path) -> None:
    conducted(folder, mixed)
    with pytest.raises(SelectionError, match="no run of firewall"):
        expand_failed("@failed", "firewall", load_site(folder), folder)


def test_a_violated_cell_is_its_destinations_or_the_sources_where_that_is_no_host(folder: Path) -> None:
    ends = (("w-1", "db-1", "violation"), ("w-2", "10.9.9.9", "unproven"), ("w-3", "db-2", "ok"))
    last(folder, cells=[{"from": source, "to": target, "verdict": verdict} for source, target, verdict in ends])
    assert expand_failed("@failed", "verify_ports", load_site(folder), folder) == "w-2,db-1"


def test_hosts_that_have_left_the_site_and_the_controller_are_left_out(folder: Path) -> None:
    outcomes = [{"host": host, "status": "failed"} for host in ("controller", "old-1", "db-1")]
    last(folder, outcomes=outcomes)
    assert expand_failed("@failed", "verify_ports", load_site(folder), folder) == "db-1"


def test_a_status_nobody_knows_is_not_good(folder: Path) -> None:
    last(folder, outcomes=[{"host": "db-1", "status": "exploded"}])
    assert expand_failed("@failed", "verify_ports", load_site(folder), folder) == "db-1"


@pytest.mark.parametrize("broken", [{"outcomes": None}, {"outcomes": [{"host": "db-1"}]}, {"schema": "other"}])
def test_a_report_that_cannot_be_understood_is_an_error(folder: Path, broken: dict[str, Any]) -> None:
    last(folder, **broken)
    with pytest.raises(SelectionError if "outcomes" in broken else Exception, match=r"report\.json"):
        expand_failed("@failed", "verify_ports", load_site(folder), folder)


def test_hosts_that_are_removed_are_named_one_by_one(folder: Path) -> None:
    with pytest.raises(SelectionError, match="one by one"):
        nodes.main(action="remove", hosts=["@failed"], inventory=folder, yes=True)
