"""Rotation: its plan before it begins, what is carried out, what is refused, and a run that was cut short."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flows._run.journal import Journal
from flows._secrets import rotate as rotation
from model.rollout.secret_names import kept_refs
from model.rollout.secret_rotation import rotation_plan
from model.site.load import load_site
from tests.flows.secret_site import SecretSite, everything_in, leaks
from tests.mutation import REFERENCE

SITE = load_site(REFERENCE)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SecretSite:
    ready = SecretSite(tmp_path, monkeypatch)
    ready.fill()
    return ready


@pytest.mark.parametrize("ref", kept_refs(SITE), ids=lambda ref: f"{ref.name}/{ref.key}")
def test_every_secret_has_a_plan_that_ends_in_a_proof(ref: object) -> None:
    plan = rotation_plan(SITE, ref)  # type: ignore[arg-type]
    assert len(plan.steps) > 2
    assert plan.steps[-1].startswith("verify: ")
    assert "gap" in plan.headline


@pytest.mark.parametrize(
    ("name", "procedure"),
    [
        ("synapse/worker_replication_secret", "stop-all"),
        ("synapse/macaroon_secret_key", "restart"),
        ("synapse-signing-key/signing.key", "signing-key"),
        ("coturn/shared_secret", "two-values"),
        ("livekit/api_secret", "two-values"),
        ("s3-synapse/secret_key", "two-values"),
        ("redis/password", "two-values"),
        ("postgresql-synapse/password", "operator"),
    ],
)
def test_what_has_no_window_of_two_values_is_declared_as_such(name: str, procedure: str) -> None:
    secret, _, key = name.partition("/")
    (spec,) = [spec for spec in SITE.secrets if spec.name == secret]
    assert spec.rotation_of(key).procedure == procedure


def test_the_one_that_cuts_processes_off_says_how_long(site: SecretSite, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = site.run("rotate", "synapse/worker_replication_secret")
    heard = capsys.readouterr().err
    assert code == 1
    assert "a gap of about 90 s is expected" in heard
    assert "stop every process that shares" in heard
    assert "not yet carried out" in heard
    assert [row["status"] for row in report["outcomes"]] == ["not_run", "failed"]


def test_where_one_cannot_be_carried_out_none_is(site: SecretSite) -> None:
    before = everything_in(site.folder / "secrets")
    assert site.run("rotate", "synapse/form_secret", "coturn", "--quiet")[0] == 1
    assert everything_in(site.folder / "secrets") == before


def test_a_value_whose_users_only_restart_is_replaced_and_the_former_one_kept(site: SecretSite) -> None:
    former = site.store.value("synapse", "form_secret")
    others = {ref: site.store.value(ref.name, ref.key) for ref in kept_refs(SITE) if ref.key != "form_secret"}
    code, report = site.run("rotate", "synapse/form_secret", "--dry-run", "--quiet")
    assert (code, site.store.value("synapse", "form_secret")) == (2, former)
    code, report = site.run("rotate", "synapse/form_secret", "--quiet")
    (row,) = report["outcomes"]
    assert (code, row["status"]) == (0, "changed")
    assert "flows.rollout --component synapse" in row["next"]
    assert row["evidence"]["plan"][0].startswith("synapse/form_secret: restart")
    assert site.store.value("synapse", "form_secret") != former
    assert former in set(site.values())
    assert {ref: site.store.value(ref.name, ref.key) for ref in others} == others
    assert leaks(site.values(), everything_in(site.folder)) == []


def test_a_run_that_was_cut_short_before_the_write_does_it_and_after_it_does_not_again(
    site: SecretSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = site.store.value("synapse", "form_secret")

    def cut(*_: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as cutting:
        cutting.setattr(rotation, "generated", cut)
        assert site.run("rotate", "synapse/form_secret", "--quiet")[0] == 130
    assert site.store.value("synapse", "form_secret") == former
    write = Journal.write
    with monkeypatch.context() as cutting:
        cutting.setattr(
            Journal, "write", lambda self, name, event: cut() if event == "ended" else write(self, name, event)
        )
        assert site.run("rotate", "synapse/form_secret", "--quiet")[0] == 130
    replaced = site.store.value("synapse", "form_secret")
    assert replaced != former
    code, report = site.run("rotate", "synapse/form_secret", "--quiet")
    assert code == 0
    assert "by the run that was cut short" in report["outcomes"][0]["message"]
    assert site.store.value("synapse", "form_secret") == replaced
    site.run("rotate", "synapse/form_secret", "--quiet")
    assert site.store.value("synapse", "form_secret") != replaced


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
