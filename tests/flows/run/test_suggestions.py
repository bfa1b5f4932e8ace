"""An unknown word is answered with the known one that it is near."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows import bootstrap, compliance, trust, verify_ports
from flows.__main__ import main
from flows._ports.choice import ProbeOptions, choose
from model.errors import SelectionError, did_you_mean
from model.site.load import load_site
from model.site.select import select
from tests.flows.plumbing import ROOT, site

SITE = load_site(ROOT / "inventory")


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
