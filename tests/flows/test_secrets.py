"""The flow of secrets: what it makes, what it says of them, and that it never says one."""

from __future__ import annotations

import base64
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretBytes

from model.rollout.rendered import SecretRef
from model.rollout.secret_document import KeptValue
from tasks.secrets.identity import VARIABLE, make_identity
from tests.flows.secret_site import SecretSite, everything_in, leaks


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SecretSite:
    return SecretSite(tmp_path, monkeypatch)


def statuses(report: dict[str, object]) -> dict[str, str]:
    outcomes = report["outcomes"]
    assert isinstance(outcomes, list)
    return {outcome["subject"]: outcome["status"] for outcome in outcomes}


def test_before_anything_is_made_that_is_drift_and_afterwards_all_is_well(site: SecretSite) -> None:
    code, report = site.run("--quiet")
    assert code == 2
    assert set(statuses(report).values()) == {"drift"}
    code, report = site.run("generate", "--quiet")
    assert code == 0
    assert set(statuses(report).values()) == {"changed"}
    code, report = site.run("status", "--quiet")
    assert (code, set(statuses(report).values())) == (0, {"ok"})
    code, report = site.run("generate", "--quiet")
    assert (code, statuses(report)) == (0, {"secrets": "ok"})


def test_a_dry_run_says_what_it_would_make_and_makes_nothing(site: SecretSite) -> None:
    code, report = site.run("generate", "--dry-run", "--quiet")
    assert code == 2
    assert report["plan"]["add"] == len([line for row in report["outcomes"] for line in row["evidence"]])
    assert not (site.folder / "secrets").exists()
    assert not (site.folder / "state").exists()


def test_a_secret_that_is_too_old_is_drift_that_says_how_old(site: SecretSite) -> None:
    site.fill()
    store, ref = site.store, SecretRef("redis", "password")
    old = datetime.now(UTC) - timedelta(days=91)
    value = KeptValue(value=SecretBytes(store.value("redis", "password")), made=old, origin="generated")
    store.save(store.document("main").with_value(ref, value))
    code, report = site.run("status", "--quiet")
    (row,) = [row for row in report["outcomes"] if row["status"] == "drift"]
    assert code == 2
    assert row["subject"] == "secret/redis"
    assert "is used for 91 days" in row["message"]
    assert row["next"] == "python -m flows.secrets rotate redis"


def test_a_shared_value_and_a_placeholder_are_found_across_realms(site: SecretSite) -> None:
    site.fill()
    store = site.store
    same = store.value("synapse", "form_secret")
    store.keep("li", {SecretRef("synapse-li", "form_secret"): same}, "provided")
    store.keep("main", {SecretRef("redis", "password"): b"CHANGEME"}, "provided")
    _, report = site.run("status", "--quiet")
    rows = {row["subject"]: row["message"] for row in report["outcomes"] if row["status"] == "drift"}
    assert rows["secret/synapse"] == "form_secret has the same value as synapse-li/form_secret"
    assert rows["secret/synapse-li"] == "form_secret has the same value as synapse/form_secret"
    assert rows["secret/redis"] == "password is still CHANGEME"


def test_what_nobody_declares_is_named(site: SecretSite) -> None:
    site.fill()
    site.store.keep("main", {SecretRef("former", "password"): b"x" * 30}, "provided")
    code, report = site.run("status", "--quiet")
    (row,) = [row for row in report["outcomes"] if row["subject"] == "secret/former/password"]
    assert (code, row["status"]) == (0, "ok")
    assert "secrets.yaml does not know it" in row["message"]


def test_a_value_is_shown_to_a_terminal_or_when_somebody_insists(
    site: SecretSite, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.fill()
    value = site.store.value("redis", "password").decode()
    capsys.readouterr()
    assert site.run("show", "redis")[0] == 1
    heard = capsys.readouterr()
    assert value not in heard.out + heard.err
    assert "--reveal" in heard.err
    assert site.run("show", "redis", "--reveal", "--quiet")[0] == 0
    assert capsys.readouterr().out == f"{value}\n"
    assert site.run("show", "redis", "--reveal")[0] == 0
    heard = capsys.readouterr()
    assert heard.out == f"{value}\n"
    assert "GOOD: secrets" in heard.err
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert site.run("show", "synapse", "--quiet")[0] == 0
    assert capsys.readouterr().out.count("\n") == 4
    assert leaks(site.values(), everything_in(site.folder)) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("show", "redis", "synapse"),
        ("show", "redis", "--reveal", "--json", "-"),
        ("status", "redis"),
        ("rotate",),
        ("rotate", "nobody"),
        ("recipients", "main"),
        ("export", "redis"),
        ("status", "--init"),
        ("generate", "--stdin"),
        ("import", "redis/password", "--stdin", "--from", "matrix/redis"),
        ("import", "redis", "--stdin"),
        ("import", "postgresql-synapse/username", "--stdin"),
        ("generate", "redis"),
        ("generate", "--reveal"),
        ("show", "nobody", "--reveal"),
        ("show", "redis/nothing", "--reveal"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(site: SecretSite, arguments: tuple[str, ...]) -> None:
    assert site.run(*arguments)[0] == 1


def test_a_key_that_opens_nothing_is_named(
    site: SecretSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.fill()
    make_identity(tmp_path / "other")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "other"))
    code, _ = site.run("status")
    assert code == 1
    assert "main.age: was not encrypted for the key in" in capsys.readouterr().err


def test_no_value_is_in_anything_that_a_flow_writes(site: SecretSite, tmp_path: Path) -> None:
    """Reports, logs, events, terminal output with -v, the folder, and a traceback that was forced."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "MATRIX_FLEET_IDENTITY": str(site.key)}
    said: dict[str, bytes] = {}
    break_it = "import flows._secrets.status as s; s._outcome = lambda state: 1 / 0\n"
    flow = "import sys\nfrom flows import secrets\nfrom flows._run import cli\ncli.run(secrets.main, 'flows.secrets')"
    for number, (code, *arguments) in enumerate(
        [(flow, "generate"), (flow, "status"), (break_it + flow, "status"), (flow, "show", "redis")]
    ):
        events = tmp_path / f"{number}.events"
        done = subprocess.run(
            (sys.executable, "-c", code, *arguments, "-v", "--events", events, "--inventory", site.folder),
            env=environment,
            capture_output=True,
            check=False,
        )
        said |= {f"{number} out": done.stdout, f"{number} err": done.stderr, f"{number} events": events.read_bytes()}
    assert b"ZeroDivisionError" in said["2 err"]
    assert len(list(site.values())) > 25
    assert leaks(site.values(), said | everything_in(site.folder)) == []


def test_the_search_for_leaks_finds_each_form(site: SecretSite) -> None:
    value = b"a/secret+value=of:some@length%20"
    places = {
        "plain": b"x" + value,
        "base64": base64.b64encode(b"password=" + value),
        "hex": b"0x" + value.hex().encode(),
        "url": b"https://u:a%2Fsecret%2Bvalue%3Dof%3Asome%40length%2520@host",
        "nothing": b"nothing",
    }
    assert leaks(iter([value]), places) == ["base64", "hex", "plain", "url"]
