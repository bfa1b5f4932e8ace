"""What a run of verification gathered comes to cells and outcomes, and nothing that is missing is left unsaid."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Literal

import pytest

from flows._fleet.failure import HostFailure
from flows._ports.agent_pool import Agents
from flows._ports.choice import ProbeOptions, choose
from flows._ports.cluster import ClusterView
from flows._ports.observation import ObservedHosts
from flows._ports.probe_run import ProbeRun
from flows._ports.results import RunResults, VerifiedRun, results_of
from model.report.outcome import EXIT_BY_STATUS, GOOD, Status, warns
from model.report.words import CellVerdict, Plane
from model.ufw.unconfirmed import UnconfirmedChange
from model.verify.probing import AgentRecords, PlainConnect, WitnessRecord
from model.verify.verification import Verification
from tests.model.verify.simulation import Fleet, reference

SITE = reference()
SSH = (PlainConnect("controller", 50000, 22, True, True),)


@cache
def healthy() -> Verification:
    return Fleet(SITE).verification()


def run(options: ProbeOptions | None = None) -> VerifiedRun:
    """A healthy fleet without a cluster, where all hosts answered, every sshd too."""
    options = options or ProbeOptions()
    verification = healthy()
    facts = verification.facts
    seen = {name: WitnessRecord((), SSH, 0) for name in facts.witnesses}
    probe_run = ProbeRun(
        evidence=facts.evidence,
        records=AgentRecords({}, seen),
        agents={name: Agents() for name in facts.views},
        ssh_answers=dict.fromkeys(facts.views, True),
        fired=1,
        lost=0,
    )
    return VerifiedRun(
        chosen=choose(SITE, options, None),
        device=None,
        observed=ObservedHosts(views=facts.views, agentless=(), rules=None, failures={}),
        cluster=ClusterView(absent="no cluster yet"),
        probe_run=probe_run,
        verification=verification if options.only is None else replace(verification, coverage=options.only),
    )


def subjects(results: RunResults, host: str) -> dict[str, Status]:
    return {outcome.subject: outcome.status for outcome in results.outcomes if outcome.host == host}


def test_a_healthy_fleet_is_ok_on_every_host() -> None:
    results = results_of(run())
    assert {subjects(results, machine.name)["ports"] for machine in SITE.servers} == {Status.OK}
    assert {cell.verdict for cell in results.cells} <= {CellVerdict.OK, CellVerdict.NOT_RUN}
    assert {cell.source for cell in results.cells} > {"controller", "management"}
    assert results.perimeter == {}


def test_rows_between_pods_are_not_run_and_say_why() -> None:
    cells = [cell for cell in results_of(run()).cells if cell.plane == Plane.POD]
    assert cells
    assert {(cell.verdict, cell.note) for cell in cells} == {(CellVerdict.NOT_RUN, "no cluster yet")}


def test_a_run_over_pods_alone_without_a_cluster_is_no_success() -> None:
    results = results_of(run(ProbeOptions(planes=(Plane.POD,))))
    assert subjects(results, "controller") == {"pods": Status.NOT_RUN}


def test_chosen_ports_speak_of_probed_pairs_alone() -> None:
    results = results_of(run(ProbeOptions(only={"tcp": 1 << 22, "udp": 0})))
    assert {(cell.port_lo, cell.port_hi) for cell in results.cells if cell.protocol != "vrrp"} == {(22, 22)}
    assert "controller" not in {cell.source for cell in results.cells}


def test_hosts_that_could_not_take_part_are_told() -> None:
    gathered = run()
    views = {name: view for name, view in gathered.observed.views.items() if name not in ("db-1", "w-1")}
    lost = HostFailure(host="w-1", exception=None, message="no route")
    observed = replace(gathered.observed, views=views, agentless=("db-1",), failures={"w-1": lost})
    results = results_of(replace(gathered, observed=observed))
    assert subjects(results, "db-1")["python3"] == Status.FAILED
    assert Status.FAILED in subjects(results, "w-1").values()
    assert "ports" not in subjects(results, "w-1")


@pytest.mark.parametrize(("end", "subject"), [("w-1", "witness"), ("pods@w-1", "witness in its pod")])
def test_an_agent_that_failed_is_its_hosts_outcome(end: str, subject: str) -> None:
    gathered = run()
    agents = {**gathered.probe_run.agents, end: Agents(problems={"witness": "was killed"})}
    results = results_of(replace(gathered, probe_run=replace(gathered.probe_run, agents=agents)))
    assert subjects(results, "w-1")[subject] == Status.UNPROVEN


def test_a_witness_that_had_to_drop_packets_proves_nothing() -> None:
    gathered = run()
    seen = {**gathered.probe_run.records.seen, "w-1": WitnessRecord((), SSH, 5)}
    results = results_of(replace(gathered, probe_run=replace(gathered.probe_run, records=AgentRecords({}, seen))))
    assert subjects(results, "w-1")["overrun"] == Status.UNPROVEN


@pytest.mark.parametrize(
    ("answered", "connects", "verdict"),
    [
        (True, SSH, CellVerdict.OK),
        (False, SSH, CellVerdict.VIOLATION),
        (True, (), CellVerdict.VIOLATION),
        (True, (replace(SSH[0], port=2222),), CellVerdict.VIOLATION),
        (True, None, CellVerdict.UNPROVEN),
    ],
)
def test_the_controllers_own_connection_is_laid_beside_what_the_witness_saw(
    answered: bool, connects: tuple[PlainConnect, ...] | None, verdict: CellVerdict
) -> None:
    gathered = run()
    seen = {name: record for name, record in gathered.probe_run.records.seen.items() if name != "db-1"}
    if connects is not None:
        seen["db-1"] = WitnessRecord((), connects, 0)
    probe_run = replace(
        gathered.probe_run,
        records=AgentRecords({}, seen),
        ssh_answers={**gathered.probe_run.ssh_answers, "db-1": answered},
    )
    cells = results_of(replace(gathered, probe_run=probe_run)).cells
    assert [cell.verdict for cell in cells if (cell.source, cell.destination) == ("controller", "db-1")] == [verdict]


def test_a_devices_rules_that_cannot_be_read_are_its_failure_and_the_lines_stay() -> None:
    gathered = run()
    device = SITE.settings.perimeter.device or "router-1"
    observed = replace(gathered.observed, rules="no JSON")
    results = results_of(replace(gathered, device=device, observed=observed))
    assert subjects(results, device) == {"perimeter": Status.FAILED}
    assert results.perimeter["perimeter"]


@pytest.mark.parametrize("state", ["armed", "fired"])
def test_a_change_that_is_not_confirmed_is_never_green(state: Literal["armed", "fired"]) -> None:
    healthy_run = run()
    waiting = {"db-1": UnconfirmedChange(state=state, fires_in=7.0)}
    results = results_of(replace(healthy_run, observed=replace(healthy_run.observed, unconfirmed=waiting)))
    (told,) = [outcome for outcome in results.outcomes if outcome.subject == "rollback"]
    assert (told.host, told.status, told.message) == ("db-1", Status.UNPROVEN, waiting["db-1"].message)
    assert told.next == waiting["db-1"].next_step
    assert EXIT_BY_STATUS[told.status] != GOOD


def test_a_service_that_answered_only_after_a_while_is_good_and_told() -> None:
    late = {("cp-1", "tcp", 10257): 25.0, ("cp-1", "tcp", 10259): 5.0}
    results = results_of(replace(run(), probe_run=replace(run().probe_run, late=late)))
    (told,) = (outcome for outcome in results.outcomes if outcome.subject == "late-answers")
    assert (told.host, warns(told.status, told.evidence)) == ("cp-1", True)
    assert told.message == "gave no answer at first: 10257/tcp after 25 s, 10259/tcp after 5 s"
    assert not [outcome for outcome in results_of(run()).outcomes if outcome.subject == "late-answers"]
