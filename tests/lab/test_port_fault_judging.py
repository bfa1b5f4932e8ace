"""The judge of drawn faults goes red for each wrong word, and for no right one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from tests.lab.port_faults import ends
from tests.lab.port_faults.drawing import faults
from tests.lab.port_faults.fault import TABLE, Fault, parse
from tests.lab.port_faults.judging import Run, Said, claims, judge
from tests.lab.port_faults.making import making
from tests.lab.port_faults.truth import Matrix, Place, matrix, touched

_ADDRESS = "10.20.1.21"
_FAULT = Fault(
    host="w-1", tool="nft", family="inet", hook="prerouting", protocol="tcp", low=10250, high=10250, verdict="drop"
)
_KEY = ("cp-1", "w-1", _ADDRESS, "tcp")
_DECLARED = Matrix(
    {_KEY: [(1, 10249, "closed"), (10250, 10250, "open"), (10251, 65535, "closed")], (*_KEY[:3], "udp"): []}
)
_HERE = Place("cp-1", "w-1", _ADDRESS, "tcp", 10250)
_BESIDE = replace(_HERE, port=10249)
_NAMED = (
    f"arrived, and the host's firewall dropped it; by the rule nft inet {TABLE} base handle 2: tcp dport 10250 drop"
)
_PLAIN = {_HERE: "w-1 10250", _BESIDE: ends.CLOSED}
_FOUND = {"foreign": {"subject": "foreign", "status": "drift", "evidence": [f"nft inet {TABLE} base"]}}
_NOTHING = {"foreign": {"subject": "foreign", "status": "ok"}}
_NAMELESS = {"foreign": {"subject": "foreign", "status": "drift", "message": "a rule"}}


def _cell(low: int = 10250, high: int = 10250, **told: str) -> dict[str, Any]:
    cell = {"expected": "open", "seen": "closed", "verdict": "violation", "culprit": "destination-firewall"}
    place = {"from": "cp-1", "to": "w-1", "address": _ADDRESS, "protocol": "tcp", "port_lo": low, "port_hi": high}
    return {**place, **cell, "note": _NAMED, **told}


_CLOSED = _cell(1, 10249, expected="closed", verdict="ok", culprit="", note="")
_SAID = Said([_CLOSED, _cell()], False, _FOUND, _FOUND)
_RIGHT = Run(_FAULT, _DECLARED, _SAID, {_HERE: ends.CLOSED, _BESIDE: ends.CLOSED}, _PLAIN)


def _said(**told: Any) -> Run:
    return replace(_RIGHT, said=replace(_SAID, **told))


def test_right_words_are_right() -> None:
    judgement = judge(_RIGHT)
    assert (judgement.wrong, judgement.deviating, judgement.right) == ((), 1, 2)


@pytest.mark.parametrize(
    ("run", "word"),
    [
        (_said(cells=[_CLOSED, _cell(verdict="ok", culprit="")]), "wrong green"),
        (_said(cells=[_CLOSED]), "wrong green"),
        (_said(good=True), "wrong green: the run is good"),
        (replace(_RIGHT, met=_PLAIN), "wrong red"),
        (_said(cells=[_CLOSED, _cell(culprit="path")]), "wrong culprit"),
        (_said(cells=[_CLOSED, _cell(note="arrived")]), "rule not named"),
        (_said(dry=_NOTHING), "wrong green: firewall --dry-run"),
        (_said(dry=_NAMELESS), "rule not named: firewall --dry-run"),
        (_said(checks=_NOTHING), "wrong green: compliance"),
        (_said(checks=_NAMELESS), "rule not named: compliance"),
        (replace(_RIGHT, plain={**_PLAIN, _BESIDE: "w-1 10249"}), "wrong green: without the fault"),
        (replace(_RIGHT, fault=replace(_FAULT, verdict="redirect", to=22)), "wrong culprit"),
        (replace(_RIGHT, fault=replace(_FAULT, host="cp-1", hook="output")), "wrong culprit"),
    ],
)
def test_each_wrong_word_is_found(run: Run, word: str) -> None:
    assert any(line.startswith(word) for line in judge(run).wrong), judge(run).wrong


def test_what_a_source_leads_away_opens_nothing_at_a_closed_port() -> None:
    outward = replace(_FAULT, host="cp-1", hook="output", verdict="redirect", to=22)
    cells, met = [_CLOSED, _cell(verdict="ok", culprit="")], {**_PLAIN, _BESIDE: "cp-1 22"}
    run = replace(_RIGHT, fault=outward, said=replace(_SAID, cells=cells, good=True), met=met)
    assert judge(run).wrong == ()
    assert judge(replace(run, fault=replace(outward, host="w-1", hook="prerouting"))).wrong != ()


def test_what_cannot_be_told_is_counted_and_must_name_the_same() -> None:
    unproven = judge(_said(cells=[_CLOSED, _cell(seen="unknown", verdict="unproven")]))
    assert (unproven.wrong, unproven.unproven) == ((), 1)
    witness = judge(_said(cells=[_CLOSED, _cell(verdict="unproven", culprit="witness")]))
    assert any("wrong culprit" in line for line in witness.wrong)


def test_every_cell_that_is_not_ok_is_asked_about() -> None:
    assert claims([_CLOSED, _cell(10250, 10260)], _DECLARED, 10) == [_HERE, replace(_HERE, port=10260)]


def test_every_boundary_is_asked_about() -> None:
    wide = replace(_FAULT, low=10, high=20)
    assert [place.port for place in touched(wide, _DECLARED) if place.protocol == "tcp"] == [9, 10, 15, 20, 21]
    assert {place.port for place in touched(replace(wide, match="set"), _DECLARED)} >= {11, 19}


@given(faults(_DECLARED, ("cp-1", "w-1", "db-1", "li-1")))
def test_a_fault_is_made_again_from_what_is_printed_and_names_itself(fault: Fault) -> None:
    assert parse(str(fault)) == fault
    commands = making(fault)
    assert commands
    assert all(TABLE in " ".join(command).lower() for command in commands)


def test_the_matrix_is_what_cells_expect() -> None:
    declared = matrix({"cells": [_CLOSED, _cell()]}, ("cp-1", "w-1"))
    assert [declared.of(place) for place in (_HERE, _BESIDE)] == ["open", "closed"]
    assert not declared.holds(replace(_HERE, source="db-1"))
