"""A run of compliance as Prometheus reads it: the text that the node exporter takes from a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flows._render.document import Document, rows_of

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

# Values of a family's labels, and what is so for them.
Samples = Iterable[tuple[tuple[str, ...], float]]
_GOOD = ("ok", "changed", "waived")
_JUDGED = (*_GOOD, "drift", "failed", "missing", "unproven")
# What only a host that answered can get; a waiver may stand for one that did not.
_ANSWERED = ("ok", "changed", "drift", "unproven", "not_run")
_CERTIFICATES = "certificates/"


def render(report: Document) -> str:
    """
    Return one sample a check and host (1 good, 0 not), hosts that answered, dates that end, counts, and when the run
    ended.
    """
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    write = _Gauges(registry, report["site"])
    checks = {check["id"]: check["severity"] for check in report["checks"]}
    judged = [outcome for outcome in rows_of(report, "outcomes") if outcome["subject"] in checks]
    _checks(write, judged, checks)
    _hosts(write, judged, report["hosts"])
    _dates(write, judged, rows_of(report, "waivers"))
    _counts(write, report)
    _run(write, report)
    return generate_latest(registry).decode()


class _Gauges:
    """Families of samples of one site."""

    def __init__(self, registry: CollectorRegistry, site: str) -> None:
        self.registry = registry
        self.site = site

    def __call__(self, name: str, text: str, samples: Samples, *labels: str) -> None:
        """Write a family; each sample's key are the values of `labels`."""
        from prometheus_client import Gauge

        family = Gauge(f"matrix_fleet_{name}", text, ("site", *labels), registry=self.registry)
        for values, value in samples:
            family.labels(self.site, *values).set(value)


def _checks(write: _Gauges, judged: list[Document], severities: Mapping[str, str]) -> None:
    good = {
        (outcome["host"], outcome["subject"], severities[outcome["subject"]]): int(outcome["status"] in _GOOD)
        for outcome in judged
        if outcome["status"] in _JUDGED
    }
    text = "1 where a check found everything as declared or waived, 0 where not"
    write("check_good", text, good.items(), "host", "check", "severity")


def _hosts(write: _Gauges, judged: list[Document], hosts: list[str]) -> None:
    answered = {outcome["host"] for outcome in judged if outcome["status"] in _ANSWERED}
    asked = {outcome["host"] for outcome in judged}
    seen = {(host,): int(host in answered) for host in hosts if host in asked}
    write("host_seen", "1 where a host could be looked at, 0 where not", seen.items(), "host")


def _dates(write: _Gauges, judged: list[Document], waivers: list[Document]) -> None:
    ends = {key: end for outcome in judged for key, end in _certificates(outcome)}
    text = "When a certificate ends, or the first of those that follow it"
    write("certificate_expires_timestamp_seconds", text, ends.items(), "host", "certificate")
    last = {(waiver["host"], waiver["id"], waiver["owner"]): _timestamp(waiver["expires"]) + _DAY for waiver in waivers}
    write("waiver_expires_timestamp_seconds", "When a waiver ends", last.items(), "host", "waiver", "owner")


# A waiver holds to the end of its last day.
_DAY = timedelta(days=1).total_seconds()


def _certificates(outcome: Document) -> Iterator[tuple[tuple[str, ...], float]]:
    evidence = outcome["evidence"]
    if not outcome["subject"].startswith(_CERTIFICATES) or not isinstance(evidence, Mapping):
        return
    for where, chain in (evidence.get("seen") or {}).items():
        yield (outcome["host"], where), min(_timestamp(link["until"]) for link in chain)


def _counts(write: _Gauges, report: Document) -> None:
    outcomes = Counter((outcome["status"],) for outcome in rows_of(report, "outcomes"))
    write("outcomes", "Outcomes of the run by status", outcomes.items(), "status")
    items = Counter((item["section"], item["state"]) for item in rows_of(report, "items"))
    write("items", "Items of the checklist by section and state", items.items(), "section", "state")


def _run(write: _Gauges, report: Document) -> None:
    ended = _timestamp(report["ended"])
    for name, text, value in (
        ("run_ended_timestamp_seconds", "When the run ended", ended),
        ("run_duration_seconds", "How long the run took", ended - _timestamp(report["started"])),
        ("run_exit_code", "0 good, 2 not as declared, 3 not known", report["exit"]),
        ("run_hosts", "Hosts that were to be looked at", len(report["hosts"])),
    ):
        write(name, text, [((), value)])


def _timestamp(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
