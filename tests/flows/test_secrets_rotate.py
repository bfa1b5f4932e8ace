"""Rotation: its plan before it begins, what is carried out, what is refused, and a run that was cut short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from flows._secrets import rotation_run
from model.errors import PlanRefused
from model.report.outcome import Outcome, Status, warn
from model.rollout.rendered import SecretRef
from model.rollout.secret_document import RotationStage
from model.rollout.secret_names import kept_refs
from tests.flows.rotation_fakes import REDIS, SITE, TWO_VALUES, FakeCarrier, rotation
from tests.flows.secret_site import SecretSite, everything_in, leaks


def test_both_values_are_accepted_while_everybody_changes_over(site: SecretSite, carrier: FakeCarrier) -> None:
    former = site.store.value("redis", "password")
    code, report = site.run("rotate", "redis", "--quiet")
    new = site.store.value("redis", "password")
    assert (code, carrier.done) == (0, TWO_VALUES)
    assert carrier.trials == [({"password": new}, {"password": former})]
    (row,) = report["outcomes"]
    assert row["status"] == "changed"
    assert "the next time within 90 days" in row["message"]
    kept = site.store.document("main").secrets[REDIS]
    assert (kept.stage, [value.value.get_secret_value() for value in kept.former]) == (None, [former])
    assert new != former
    assert leaks(site.values(), everything_in(site.folder)) == []


def test_what_comes_behind_a_rotation_that_fails_is_not_begun(site: SecretSite, carrier: FakeCarrier) -> None:
    carrier.says = lambda done: Status.FAILED if done == "try redis" else Status.OK
    code, report = site.run("rotate", "redis", "synapse/form_secret", "--quiet")
    assert code == 3
    behind = report["outcomes"][-1]
    assert (behind["status"], behind["subject"]) == ("not_run", "secret/synapse/form_secret")
    assert site.store.document("main").secrets[SecretRef("synapse", "form_secret")].stage is None
    state = site.run("status", "--quiet")[1]["outcomes"]
    row = next(row for row in state if row["subject"] == "secret/redis")
    assert row["message"].startswith(
        "password: its rotation has not ended: step 5 was done last (accept the former one no longer"
    )
    assert re.search(r", on \d{4}-\d\d-\d\d \d\d:\d\d UTC$", row["message"])
    assert row["next"] == "python -m flows.secrets rotate redis/password"


def test_where_nothing_is_there_to_be_stopped_no_rotation_begins(site: SecretSite, carrier: FakeCarrier) -> None:
    def nothing() -> Outcome:
        raise PlanRefused("nothing of synapse is there", next_step="python -m flows.rollout")

    carrier.shares, before = nothing, everything_in(site.folder / "secrets")
    code, report = site.run("rotate", "synapse/worker_replication_secret", "--quiet")
    assert (code, carrier.done) == (1, ["look for synapse"])
    (row,) = report["outcomes"]
    assert row["message"] == "synapse/worker_replication_secret: nothing of synapse is there; no rotation was begun"
    assert row["next"] == "python -m flows.rollout"
    assert everything_in(site.folder / "secrets") == before


def test_what_will_not_be_stopped_since_it_is_not_there_is_named(site: SecretSite, carrier: FakeCarrier) -> None:
    carrier.shares = lambda: warn("controller", "stop", "will not be stopped: not in the cluster: synapse-x")
    code, report = site.run("rotate", "synapse/worker_replication_secret", "--quiet")
    assert code == 0
    assert "synapse-x" in next(row for row in report["outcomes"] if row["subject"] == "stop")["message"]


def test_a_cluster_that_is_not_as_declared_is_left_alone(site: SecretSite, carrier: FakeCarrier) -> None:
    carrier.drift = (Outcome("controller", "redis/ConfigMap/matrix/redis-scripts", Status.DRIFT, "would be changed"),)
    before = everything_in(site.folder / "secrets")
    code, report = site.run("rotate", "redis", "--quiet")
    assert (code, carrier.done) == (1, TWO_VALUES[:1])
    assert "redis-scripts" in report["outcomes"][-1]["message"]
    assert everything_in(site.folder / "secrets") == before


def test_values_whose_users_only_restart_are_replaced_together_and_rolled_out_once(
    site: SecretSite, carrier: FakeCarrier
) -> None:
    names = ("synapse/form_secret", "synapse/macaroon_secret_key")
    refs = {SecretRef(*name.split("/")) for name in names}
    former = {ref: site.store.value(ref.name, ref.key) for ref in kept_refs(SITE)}
    code, report = site.run("rotate", *names, "--dry-run", "--quiet")
    assert (code, carrier.done) == (2, [])
    assert {ref: site.store.value(ref.name, ref.key) for ref in former} == former
    code, report = site.run("rotate", *names, "--quiet")
    assert (code, carrier.done) == (0, ["look at synapse", "roll out synapse", "try synapse", "verify"])
    (row,) = report["outcomes"]
    assert row["evidence"]["plan"][0].startswith(
        "synapse/form_secret+macaroon_secret_key: restart: a gap of about 30 s"
    )
    now = {ref: site.store.value(ref.name, ref.key) for ref in former}
    assert {ref for ref in former if now[ref] != former[ref]} == refs
    assert {former[ref] for ref in refs} <= set(site.values())


def test_where_nobody_mounts_it_a_person_is_told_what_is_left(site: SecretSite, carrier: FakeCarrier) -> None:
    path = site.folder / "site.yaml"
    settings = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump({**settings, "features": {"antivirus": True}}), "utf-8")
    assert site.run("generate", "--quiet")[0] == 0
    code, report = site.run("rotate", "content-scanner", "--quiet")
    assert (code, carrier.done) == (0, ["verify"])
    told = [row for row in report["outcomes"] if row["status"] == "not_run"]
    assert "no component of the site does" in told[0]["next"]


def test_the_one_that_cuts_processes_off_says_how_long(
    site: SecretSite, carrier: FakeCarrier, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = site.run("rotate", "synapse/worker_replication_secret", "--dry-run")
    heard = capsys.readouterr().err
    assert (code, carrier.done) == (2, [])
    assert "a gap of about 90 s is expected; nobody can send or read" in heard
    assert "stop every process that shares" in heard


def test_where_one_cannot_be_carried_out_none_is(site: SecretSite, carrier: FakeCarrier) -> None:
    before = everything_in(site.folder / "secrets")
    assert site.run("rotate", "synapse/form_secret", "coturn", "--quiet")[0] == 1
    assert (everything_in(site.folder / "secrets"), carrier.done) == (before, [])


def test_a_cut_before_the_write_leaves_the_former_value(
    site: SecretSite, carrier: FakeCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = site.store.value("synapse", "form_secret")

    def cut(*_: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as cutting:
        cutting.setattr(rotation_run, "generated", cut)
        assert site.run("rotate", "synapse/form_secret", "--quiet")[0] == 130
    assert site.store.value("synapse", "form_secret") == former
    assert site.store.document("main").secrets[SecretRef("synapse", "form_secret")].stage is None


def test_what_a_dry_run_says_of_a_rotation_that_was_cut_short(site: SecretSite, carrier: FakeCarrier) -> None:
    carrier.says = lambda done: Status.FAILED if done.endswith("adopted") else Status.OK
    site.run("rotate", "redis", "--quiet")
    assert site.store.document("main").secrets[REDIS].stage is RotationStage.ADOPTED
    code, report = site.run("rotate", "redis", "--dry-run", "--quiet")
    assert code == 2
    assert report["outcomes"][0]["message"] == "would be rotated on: step 4 of 8 is the next"


def test_a_value_that_is_being_rotated_is_not_taken_from_elsewhere(
    site: SecretSite, carrier: FakeCarrier, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.age"
    flags = ("--output", str(copy), "--recipient", site.recipient, "--quiet")
    assert site.run("export", "redis", *flags)[0] == 0
    carrier.says = lambda _done: Status.FAILED
    rotation(site, carrier).carry_out()
    before = everything_in(site.folder / "secrets")
    code, report = site.run("import", "redis", "--file", str(copy), "--quiet")
    assert code == 1
    assert "its rotation has not ended (offered)" in report["outcomes"][-1]["message"]
    assert everything_in(site.folder / "secrets") == before


def test_before_there_is_a_value_there_is_none_to_rotate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = SecretSite(tmp_path, monkeypatch)
    code, report = empty.run("rotate", "synapse/form_secret", "--quiet")
    assert code == 1
    assert report["outcomes"][0]["next"] == "python -m flows.secrets generate"


def test_a_value_that_people_bring_is_rotated_by_bringing_another(site: SecretSite) -> None:
    path = site.folder / "site.yaml"
    settings = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump({**settings, "features": {"smtp": True}}), "utf-8")
    code, report = site.run("rotate", "smtp/password", "--quiet")
    assert code == 1
    assert report["outcomes"][-1]["next"] == "python -m flows.secrets import smtp/password --stdin"
    # One after the other: a command that a person can run as it stands.
    _, told = site.run("status", "--quiet")
    (row,) = (row for row in told["outcomes"] if row["subject"] == "secret/smtp")
    assert row["next"] == "python -m flows.secrets import smtp/username --stdin"
