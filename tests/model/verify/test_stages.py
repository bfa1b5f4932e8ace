"""What must answer once services are there, and the protocol that nobody can probe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.packets.sockets import Listener
from model.report.report import Cell
from model.report.words import Stage
from model.verify.verification import Verification
from tests.model.packets.listening import listener
from tests.model.verify.simulation import Fleet, reference


def verification(stage: str = "auto", *listeners: Listener) -> Verification:
    """A healthy fleet where db-1 has these listeners, and nothing answers with more than RST."""
    run = Fleet(reference()).verification()
    views = dict(run.facts.views) | {"db-1": replace(run.facts.views["db-1"], listeners=listeners)}
    return replace(run, facts=replace(run.facts, views=views, stage=Stage(stage)))


def wrong(made: Verification) -> list[Cell]:
    return [cell for cell in made.cells if cell.verdict != "ok"]


POSTGRES = listener("tcp", "0.0.0.0", 5432, "postgres")


def test_before_anything_is_installed_nothing_need_answer() -> None:
    assert wrong(verification()) == []


def test_a_host_where_one_declared_service_listens_owes_all_of_them() -> None:
    cells = wrong(verification("auto", POSTGRES))
    assert {(cell.destination, cell.culprit) for cell in cells} == {("db-1", "listener")}
    assert {5432, 10250} <= {cell.port_lo for cell in cells}


def test_stage_before_asks_for_no_answer_whatever_listens() -> None:
    assert wrong(verification("before", POSTGRES)) == []


def test_stage_after_asks_every_host() -> None:
    assert {cell.culprit for cell in wrong(verification("after"))} == {"listener"}
    assert len({cell.destination for cell in wrong(verification("after"))}) > 5


def test_another_program_on_a_declared_port_is_named_and_makes_no_stage() -> None:
    cells = wrong(verification("auto", listener("tcp", "::", 5432, "nc")))
    assert {(cell.destination, cell.port_lo, cell.culprit) for cell in cells} == {("db-1", 5432, "wrong-process")}
    assert all("nc" in cell.note for cell in cells)


def test_sshd_alone_is_no_stage() -> None:
    assert wrong(verification("auto", listener("tcp", "0.0.0.0", 22, "sshd"))) == []


@pytest.mark.parametrize("source", ["db-1", "cp-1"])
def test_vrrp_that_no_row_opens_is_a_violation_of_its_own(source: str) -> None:
    run = Fleet(reference(), first_in={"w-1": ("-p vrrp -j ACCEPT",)}).verification()
    [cell, *_] = [entry for entry in wrong(run) if entry.source == source]
    assert (cell.destination, cell.protocol, cell.expected, cell.seen) == ("w-1", "vrrp", "closed", "open")
    assert (cell.verdict, cell.culprit) == ("violation", "destination-firewall")


def test_vrrp_between_control_planes_is_open_by_their_rules() -> None:
    cells = {(cell.source, cell.destination) for cell in verification().cells if cell.protocol == "vrrp"}
    assert cells == {("cp-1", "cp-2"), ("cp-2", "cp-1")}
