"""What was found on hosts becomes outcomes: one a finding, one for each host with nothing in the way, none hidden."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flows._cluster.preflight import gate, preflight, stops
from flows._fleet.hosts import close
from flows._fleet.inventory import inventory
from flows._render.notices import notices
from flows._run.context import Context
from flows._run.options import Options
from flows._run.screen import Screen
from model.errors import PlanRefused, RootRefused, Unreachable
from model.host.machine_facts import MachineFacts, Questions
from model.report.outcome import EXIT_BY_STATUS, Outcome, worst
from model.site.site import Site
from remote.facts import machine
from tests.flows.plumbing import site as copied
from tests.model.check.preflight.preflight_data import bundle, but, healthy
from tests.mutation import site

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.inventory import Host

STARTED = datetime(2026, 11, 25, tzinfo=UTC)
NAMES = ("cp-1", "cp-2", "w-1")


@pytest.fixture
def nr(tmp_path: Path) -> Iterator[Nornir]:
    nornir = inventory(copied(tmp_path))
    yield nornir
    close(nornir)


def _context(declared: Site) -> Context:
    options = Options(quiet=True)
    return Context(site=declared, options=options, hosts=NAMES, started=STARTED, screen=Screen(options), kept=[])


def _looked(
    nr: Nornir, declared: Site, monkeypatch: pytest.MonkeyPatch, **answers_by_host: MachineFacts | Exception
) -> tuple[Outcome, ...]:
    facts = healthy(declared)

    def observe(host: Host, _questions: Questions) -> MachineFacts:
        answer = answers_by_host.get(host.name.replace("-", "_"), facts[host.name])
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(machine, "observe", observe)
    return preflight(nr, _context(declared), NAMES, bundle())


def _exit(outcomes: tuple[Outcome, ...]) -> int:
    return worst(EXIT_BY_STATUS[outcome.status] for outcome in outcomes)


def _lines(outcomes: tuple[Outcome, ...]) -> set[tuple[str, str, str]]:
    return {(outcome.host, outcome.subject, str(outcome.status)) for outcome in outcomes}


def test_hosts_with_nothing_wrong_are_ok(nr: Nornir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = _looked(nr, site(tmp_path / "s"), monkeypatch)
    assert _lines(outcomes) == {(name, "preflight", "ok") for name in NAMES}


def test_an_error_stops_and_a_warning_is_told(nr: Nornir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = site(tmp_path / "s")
    bad = but(healthy(declared)["w-1"], {"software.remains": ("/etc/kubernetes/admin.conf",)})
    uneasy = but(healthy(declared)["cp-2"], {"system.reboot_required": True})
    outcomes = _looked(nr, declared, monkeypatch, w_1=bad, cp_2=uneasy)
    assert _lines(outcomes) == {
        ("cp-1", "preflight", "ok"),
        ("cp-2", "preflight", "ok"),
        ("cp-2", "preflight/reboot-required", "ok"),
        ("w-1", "preflight/cluster-remains", "drift"),
    }
    assert [outcome.host for outcome in stops(outcomes)] == ["w-1"]
    assert _exit(outcomes) == 2
    report = {"outcomes": [_document(outcome) for outcome in outcomes]}
    assert [(notice.level, notice.hosts) for notice in notices(report)] == [("drift", ("w-1",)), ("warning", ("cp-2",))]


def _document(outcome: Outcome) -> dict[str, object]:
    words = ("host", "subject", "message", "next", "evidence", "seconds")
    return {"status": str(outcome.status), **{word: getattr(outcome, word) for word in words}}


def test_what_the_site_answers_for_stops_nothing(nr: Nornir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waivers = [
        {"id": f"preflight/{word}", "host": "w-1", "reason": "r", "owner": "o", "expires": "2030-01-01"}
        for word in ("cluster-remains", "reboot-required")
    ]
    declared = site(tmp_path / "s", set={"site:waivers": waivers})
    changes = {"software.remains": ("/etc/kubernetes/admin.conf",), "system.reboot_required": True}
    outcomes = _looked(nr, declared, monkeypatch, w_1=but(healthy(declared)["w-1"], changes))
    assert {outcome.status for outcome in outcomes if outcome.host == "w-1"} == {"waived"}
    assert (stops(outcomes), _exit(outcomes)) == ((), 0)


def test_a_dead_host_and_one_without_sudo_hide_no_other(
    nr: Nornir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = Unreachable("cp-1", "no answer", "is it up?")
    refused = RootRefused("cp-2", ("sh",), 1, "a password is required", "give it")
    outcomes = _looked(nr, site(tmp_path / "s"), monkeypatch, cp_1=dead, cp_2=refused)
    assert _lines(outcomes) == {
        ("cp-1", "preflight", "failed"),
        ("cp-2", "preflight/sudo", "drift"),
        ("w-1", "preflight", "ok"),
    }
    assert _exit(outcomes) == 2


def test_a_name_nobody_entered_yet_is_not_run(nr: Nornir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = site(tmp_path / "s")
    facts = healthy(declared)["w-1"]
    empty = {
        server: tuple(
            replace(answer, addresses=()) if answer.name.startswith("chat.") else answer for answer in answers
        )
        for server, answers in facts.asked.names.answers.items()
    }
    outcomes = _looked(nr, declared, monkeypatch, w_1=but(facts, {"asked.names.answers": empty}))
    assert ("w-1", "preflight/dns-pending", "not_run") in _lines(outcomes)
    assert _exit(outcomes) == 0


def test_versions_that_cannot_be_are_refused_before_anybody_is_looked_at(tmp_path: Path) -> None:
    declared = site(tmp_path / "s")
    with pytest.raises(PlanRefused, match=r"carries Kubernetes 1.37.2, and the site wants 1.36") as caught:
        gate(declared, bundle(kubernetes="1.37.2"), STARTED.date())
    assert "kubernetes.version: 1.37.2" in caught.value.next_step
    (warning,) = gate(declared, bundle(containerd="1.7.28"), STARTED.date())
    assert (warning.subject, warning.status) == ("preflight/versions", "ok")
