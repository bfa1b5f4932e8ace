"""The page of measured figures says what results.json says, and every figure that is promised has its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as program
from benchmarks.figure import Figure
from flows import docs
from flows._run.cli import execute
from flows._site.documents.benchmarks import MEANINGS, PAGE, page, written
from model.errors import SiteError
from tests.mutation import REFERENCE

ROOT = REFERENCE.parent
RESULTS = ROOT / "benchmarks" / "results.json"
# Figures that scripts may rely on by their names.
PROMISED = (
    "firewall_change_vs_ansible",
    "firewall_nochange_vs_ansible",
    "firewall_change_vs_pyinfra",
    "firewall_open_packets",
    "verify_boundaries_17_s",
    "verify_sweep_17_s",
    "verify_full_17_s",
    "verify_tcp_vs_nmap",
    "agent_131070_ports_s",
    "firewall_17_s",
    "firewall_100_s",
    "verify_boundaries_100_s",
    "controller_peak_mb_100",
    "bootstrap_vs_bare_kubeadm",
    "bootstrap_other_phases_s",
    "bootstrap_nochange_s",
    "bootstrap_total_s",
    "api_failover_s",
    "compliance_17_s",
    "compliance_100_s",
    "compliance_vs_ansible",
    "compliance_vs_testinfra",
    "compliance_peak_mb_100",
    "rollout_total_s",
    "rollout_nochange_s",
    "rollout_nochange_vs_kubectl_diff",
    "rollout_vs_kubectl_apply",
    "rollout_objects",
    "message_latency_p50_ms",
    "message_latency_p99_ms",
)
# No benchmark measures these yet: take a name out here with the benchmark that brings it.
LATER = frozenset(
    {
        "firewall_change_vs_ansible",
        "firewall_nochange_vs_ansible",
        "firewall_change_vs_pyinfra",
        "verify_sweep_17_s",
        "verify_full_17_s",
        "verify_tcp_vs_nmap",
        "firewall_100_s",
        "verify_boundaries_100_s",
        "controller_peak_mb_100",
    }
)
# Measured at a hundred hosts, against others' work or on sixteen servers with the application, which not every machine
# has room for: results may lack them.
ROLLOUT = {name for name in PROMISED if name.startswith(("rollout_", "message_"))}
MAY_LACK = (
    LATER | ROLLOUT | {"compliance_100_s", "compliance_peak_mb_100", "compliance_vs_ansible", "compliance_vs_testinfra"}
)
MEASURED = {
    "machine": "2 cores",
    "commit": "0123456789abcdef",
    "date": "2026-11-23T10:00:00+00:00",
    "figures": [
        {"name": "firewall_17_s", "value": 7.1234, "unit": "s", "against": "", "n": 3},
        {"name": "compliance_vs_ansible", "value": 0.25, "unit": "ratio", "against": "ansible-core", "n": 3},
        {"name": "compliance_peak_mb_100", "value": 1234.5, "unit": "MB", "against": "", "n": 3, "commit": "fedcba"},
        {"name": "unheard_of", "value": 1, "unit": "s", "against": "", "n": 1},
    ],
}


def test_every_promised_figure_was_measured_or_comes_later() -> None:
    if RESULTS.exists():
        assert absent(json.loads(RESULTS.read_text("utf-8"))) == set()


def test_a_promised_figure_that_results_lack_is_noticed() -> None:
    assert "bootstrap_total_s" in absent(MEASURED)
    assert not absent(MEASURED) & LATER


def absent(results: dict[str, Any]) -> set[str]:
    return set(PROMISED) - {figure["name"] for figure in results["figures"]} - MAY_LACK


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_figure_has_a_benchmark_or_comes_later(name: str) -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "benchmarks").glob("*.py")]
    assert any(f'"{name}"' in source for source in sources) != (name in LATER)


@pytest.mark.parametrize("name", PROMISED)
def test_the_page_knows_what_a_promised_figure_measures(name: str) -> None:
    assert MEANINGS[name]


def test_the_page_shows_each_figure_with_its_run() -> None:
    text = page(MEASURED)
    assert "2 cores; commit `0123456789ab`; 2026-11-23T10:00:00+00:00." in text
    assert "| `firewall_17_s` | 7.12 s | `flows.firewall` on 17 hosts" in text
    assert "| `compliance_vs_ansible` | 0.25 | " in text
    assert "| ansible-core | 3 |  |" in text
    assert "| `compliance_peak_mb_100` | 1,234 MB | memory of the controller for these 100 |  | 3 | fedcba |" in text
    assert "| `unheard_of` | 1 s |  |  | 1 |  |" in text


def test_where_nothing_was_measured_the_page_says_so_and_nobody_writes_it(tmp_path: Path) -> None:
    assert "Nothing has been measured yet." in page({})
    assert written(tmp_path) == {}


def test_a_stale_page_is_noticed_where_there_are_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("docs", "benchmarks"):
        (tmp_path / name).mkdir()
    (tmp_path / "inventory").symlink_to(REFERENCE)
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    assert execute(docs.main, "flows.docs", []) == 0
    assert not (tmp_path / "docs" / PAGE).exists()
    (tmp_path / "benchmarks" / "results.json").write_text(json.dumps(MEASURED), "utf-8")
    assert execute(docs.main, "flows.docs", ["--check"]) == 2
    assert f"stale: docs/{PAGE}" in capsys.readouterr().out
    assert execute(docs.main, "flows.docs", []) == 0
    assert execute(docs.main, "flows.docs", ["--check"]) == 0
    assert (tmp_path / "docs" / PAGE).read_text("utf-8") == page(MEASURED)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"machine": "x"}', '{"machine": "x", "commit": "y", "date": "z", "figures": [{}]}']
)
def test_results_that_are_none_are_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "results.json").write_text(text, "utf-8")
    with pytest.raises(SiteError, match=r"benchmarks/results\.json: holds no results"):
        written(tmp_path)


def test_a_measurement_ends_with_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("docs", "benchmarks"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(program, "HERE", tmp_path / "benchmarks")
    monkeypatch.setattr(program, "MEASURES", {"agent": lambda rounds: [Figure("firewall_17_s", 2.5, "s", "", rounds)]})
    monkeypatch.setattr("sys.argv", ["benchmarks", "--rounds", "2"])
    monkeypatch.setenv("MATRIX_FLEET_LAB", "lab")
    assert program.main() == 0
    assert "firewall_17_s" in capsys.readouterr().out
    assert "| `firewall_17_s` | 2.5 s |" in (tmp_path / "docs" / PAGE).read_text("utf-8")
