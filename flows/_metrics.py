"""How does Prometheus read a run of compliance? As the text that the node exporter takes from a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flows._findings import rows_of

Document = Mapping[str, Any]
_JUDGED = ("ok", "changed", "waived", "drift", "failed", "missing", "unproven")


def render(report: Document) -> str:
    """
    Return one sample a check and host (1 good, 0 not), counts by status and by section, and when the run ended.
    """
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()

    def gauge(name: str, text: str, labels: tuple[str, ...]) -> Any:
        return Gauge(f"matrix_fleet_{name}", text, ("site", *labels), registry=registry)

    site, checks = report["site"], {check["id"]: check["severity"] for check in report["checks"]}
    good = gauge(
        "check_good",
        "1 where a check found everything as declared or waived, 0 where not",
        ("host", "check", "severity"),
    )
    for outcome in rows_of(report, "outcomes"):
        if outcome["subject"] in checks and outcome["status"] in _JUDGED:
            well = outcome["status"] in ("ok", "changed", "waived")
            good.labels(site, outcome["host"], outcome["subject"], checks[outcome["subject"]]).set(int(well))
    outcomes = gauge("outcomes", "Outcomes of the run by status", ("status",))
    for status, number in Counter(outcome["status"] for outcome in rows_of(report, "outcomes")).items():
        outcomes.labels(site, status).set(number)
    items = gauge("items", "Items of the checklist by section and state", ("section", "state"))
    for (section, state), number in Counter(
        (item["section"], item["state"]) for item in rows_of(report, "items")
    ).items():
        items.labels(site, section, state).set(number)
    ended = datetime.fromisoformat(report["ended"]).timestamp()
    took = ended - datetime.fromisoformat(report["started"]).timestamp()
    for name, text, value in (
        ("run_ended_timestamp_seconds", "When the run ended", ended),
        ("run_duration_seconds", "How long the run took", took),
        ("run_exit_code", "0 good, 2 not as declared, 3 not known", report["exit"]),
        ("run_hosts", "Hosts that were to be looked at", len(report["hosts"])),
    ):
        gauge(name, text, ()).labels(site).set(value)
    return generate_latest(registry).decode()
