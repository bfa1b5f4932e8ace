"""Alert rules and dashboard fit the figures that runs leave, by Prometheus' own tool."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from flows._render import metrics
from tests.flows.plumbing import ROOT
from tests.flows.test_compliance import OUTCOMES, document

PROMTOOL = Path(sys.executable).parent / "promtool"
RULES = ROOT / "docs" / "monitoring" / "alerts.yaml"
DASHBOARD = ROOT / "docs" / "monitoring" / "dashboard.json"
CASES = ROOT / "tests" / "data" / "monitoring" / "alerts.test.yaml"
WAIVERS = [{"id": "updates/archive", "host": "*", "owner": "lab", "reason": "r", "expires": "2026-12-24"}]
CHAIN = [{"until": "2027-11-26T03:00:00+00:00"}, {"until": "2027-01-01T00:00:00+00:00"}]


def promtool(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the tool that `make promtool` brings."""
    assert PROMTOOL.exists(), "run `make promtool`"
    return subprocess.run((str(PROMTOOL), *words), input=stdin, capture_output=True, text=True, timeout=60, check=False)


def figures() -> str:
    """Return the text of a run that has everything."""
    report = document(waivers=WAIVERS, outcomes=(*OUTCOMES, ("cp-1", "certificates/served", "ok", "1 service")))
    report["outcomes"][-1]["evidence"]["seen"] = {"6443/tcp": CHAIN}
    return metrics.render(report)


def samples(name: str) -> dict[tuple[str, ...], float]:
    """Return a family's samples by the values of their labels but the site's, in the order of the labels' names."""
    families = {family.name: family.samples for family in text_string_to_metric_families(figures())}
    return {
        tuple(value for key, value in sorted(sample.labels.items()) if key != "site"): sample.value
        for sample in families[f"matrix_fleet_{name}"]
    }


@pytest.mark.machine
def test_promtool_accepts_the_rules() -> None:
    done = promtool("check", "rules", str(RULES))
    assert done.returncode == 0, done.stderr


@pytest.mark.machine
def test_every_alert_fires_on_its_cause_and_on_nothing_else() -> None:
    done = promtool("test", "rules", str(CASES))
    assert done.returncode == 0, done.stdout + done.stderr
    fired = {
        case["alertname"]
        for part in yaml.safe_load(CASES.read_text())["tests"]
        for case in part["alert_rule_test"]
        if case.get("exp_alerts")
    }
    assert fired == {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}


@pytest.mark.machine
def test_a_rule_that_misses_its_cause_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text(RULES.read_text().replace("26 * 3600", "28 * 3600"))
    (tmp_path / "cases.yaml").write_text(
        CASES.read_text().replace("../../../docs/monitoring/alerts.yaml", "alerts.yaml")
    )
    assert promtool("test", "rules", str(tmp_path / "cases.yaml")).returncode != 0


@pytest.mark.machine
def test_promtool_accepts_the_figures() -> None:
    done = promtool("check", "metrics", stdin=figures())
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.machine
def test_promtool_refuses_what_are_no_figures() -> None:
    assert promtool("check", "metrics", stdin=figures().replace(" gauge", " tree", 1)).returncode != 0


def test_a_host_that_gave_no_answer_is_told_apart_from_drift() -> None:
    assert samples("host_seen") == {("cp-1",): 1, ("w-1",): 0}


def test_what_ends_has_its_date() -> None:
    assert samples("certificate_expires_timestamp_seconds") == {("6443/tcp", "cp-1"): 1798761600}
    # A waiver holds to the end of its last day.
    assert samples("waiver_expires_timestamp_seconds") == {("*", "lab", "updates/archive"): 1798156800}


def expressions() -> list[str]:
    """Return every query of rules and dashboard, the dashboard's variables filled in."""
    rules: list[str] = [
        rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]
    board: dict[str, Any] = json.loads(DASHBOARD.read_text())
    panels = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    return rules + [text.replace("$site", ".*") for text in panels]


@pytest.mark.machine
def test_promtool_accepts_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"query{number}", "expr": text} for number, text in enumerate(expressions())]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = promtool("check", "rules", str(tmp_path / "rules.yaml"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", expressions())
def test_queries_name_figures_and_labels_that_there_are(text: str) -> None:
    labels = dict(re.findall(r"^(matrix_fleet_\w+)\{(.*?)\} ", figures(), re.MULTILINE))
    named = re.findall(r"(matrix_fleet_\w+)(?:\{([^}]*)\})?", text)
    assert named
    for name, wanted in named:
        assert name in labels
        assert set(re.findall(r"(\w+)\s*=", wanted)) <= set(re.findall(r"(\w+)=", labels[name]))
