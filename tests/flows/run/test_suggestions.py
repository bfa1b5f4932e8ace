"""An unknown word is answered with the known one that it is near."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows import bootstrap, compliance, report, trust, verify_ports
from flows.__main__ import main
from flows._ports.choice import ProbeOptions, choose
from model.errors import SchemaErrors, SelectionError, did_you_mean
from model.report.outcome import Status
from model.site.select import select
from tests.flows.plumbing import conducted, every, site
from tests.mutation import loaded
from tests.mutation import site as mutated

SITE = loaded()


@pytest.mark.parametrize(
    ("word", "near"), [("databse", "database"), ("db1", "db-1"), ("!wroker", "worker"), ("DB-1", "db-1")]
)
def test_of_hosts_and_roles(word: str, near: str) -> None:
    with pytest.raises(SelectionError, match=f"did you mean {near}\\?"):
        select(SITE, word)
    for flag in ("source", "destination"):
        options: dict[str, Any] = {"depth": "full", flag: word}
        with pytest.raises(SelectionError, match=f"did you mean {near}\\?"):
            choose(SITE, ProbeOptions(**options), None)


def test_of_phases() -> None:
    with pytest.raises(SelectionError, match=r"did you mean control-planes\?"):
        bootstrap.main(only="controlplanes")


@pytest.mark.parametrize(("word", "near"), [("firewal", "firewall"), ("firewall/rule", "firewall/rules")])
def test_of_checks(word: str, near: str) -> None:
    with pytest.raises(SelectionError, match=f"did you mean {near}\\?"):
        compliance.main(check=[word])


@pytest.mark.parametrize(("word", "near"), [("firewall/rule", "firewall/rules"), ("deployr-6", "deployer-6")])
def test_of_checks_and_items_that_are_explained(word: str, near: str) -> None:
    with pytest.raises(SelectionError, match=f"did you mean {near}\\?"):
        compliance.main(explained=word)


def test_of_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = site(tmp_path)
    _, written = conducted(folder, every(Status.OK))
    for word, near in (("latest-trail", "latest-trial"), (written["run"][:-1], written["run"])):
        assert report.show(word, inventory=folder) == 1
        assert f"did you mean {near}?" in capsys.readouterr().err
        assert report.diff(word, "latest-trial", inventory=folder) == 1
        assert f"did you mean {near}?" in capsys.readouterr().err


def test_of_checks_whose_history_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = site(tmp_path)
    assert report.history("firewall/rule", inventory=folder) == 1
    assert "did you mean firewall/rules?" in capsys.readouterr().err
    assert report.history("firewall/rules", inventory=folder) == 1
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("edits", "near"),
    [
        ({"hosts:db-1.groups": ["databse"]}, "database"),
        ({"hosts:db-1.data.addresses": {"mian": ["10.20.1.31"]}}, "main"),
        ({"site:external.ingress.targets": ["w1"]}, "w-1"),
        ({"ports:rows.0.from": ["wroker"]}, "worker"),
    ],
    ids=["role", "network", "host", "end of a row"],
)
def test_of_names_in_one_file_that_another_lacks(edits: dict[str, Any], near: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaErrors) as caught:
        mutated(tmp_path, set=edits)
    assert [f"did you mean {near}?" in error.fix for error in caught.value.errors] == [True]


def test_of_planes() -> None:
    with pytest.raises(SelectionError, match=r"did you mean external\?"):
        verify_ports._planes(["extrenal"])


def test_of_hosts_whose_key_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trust.main(replace=["db1"], inventory=site(tmp_path), quiet=True) == 1
    assert "did you mean db-1?" in capsys.readouterr().err


def test_of_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["firewal"]) == 1
    assert "did you mean firewall?" in capsys.readouterr().err


def test_what_is_near_nothing_gets_no_suggestion() -> None:
    assert did_you_mean("zzz", ("database", "worker")) == ""
