"""A rotation that was killed anywhere is finished by the next run, is told of until then, and leaves nothing behind."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

import pytest
import yaml

from checks.check import ComplianceView
from checks.subjects.secrets import CHECKS
from flows._compliance.sources import kept_secrets
from flows._run.journal import Journal
from model.check.check import run
from model.check.finding import Verdict
from model.check.lint.flaw import LintView
from model.check.lint.subjects.secrets import rotations
from model.report.outcome import Status
from model.rollout.rendered import SecretRef
from model.rollout.rotation_steps import REACHES, Act
from model.rollout.secret_document import RotationStage, SecretDocument
from model.rollout.secret_index import kept_indexes
from model.site.load import load_site
from model.site.secrets import Procedure
from tasks.private_file import write_private
from tasks.secrets.files import KEPT_VERSIONS
from tasks.secrets.identity import VARIABLE
from tasks.secrets.store import SecretStore
from tests.flows.rotation_fakes import DONE, REDIS, SITE, Died, FakeCarrier, die, kept_of, plan, rotation
from tests.flows.secret_site import SecretSite


def test_every_procedure_that_is_carried_out_has_an_example() -> None:
    procedures = {plan(name).rotation.procedure for name in DONE}
    assert procedures == set(get_args(Procedure)) - {"provided", "none"}
    acts = {step.act for name in DONE for step in plan(name).steps}
    assert acts == set(Act)


@pytest.mark.parametrize("name", DONE)
@pytest.mark.parametrize("event", ["begun", "ended"])
def test_a_rotation_killed_before_and_behind_each_step_is_finished_by_the_next_run(
    site: SecretSite, carrier: FakeCarrier, monkeypatch: pytest.MonkeyPatch, name: str, event: str
) -> None:
    refs, write = plan(name).refs, Journal.write
    for number, step in enumerate(plan(name).steps, 1):
        before = [kept.current.value for kept in kept_of(site, refs)]
        died_at = (f"{plan(name).name}: {step.act} ({number})", event)

        def killed(journal: Journal, phase: str, what: str, died_at: tuple[str, str] = died_at) -> None:
            write(journal, phase, what)
            die((phase, what) == died_at)

        with monkeypatch.context() as dying:
            dying.setattr(Journal, "write", killed)
            with pytest.raises(Died):
                rotation(site, carrier, name).carry_out()
        begun = kept_of(site, refs)
        carrier.done = []
        assert rotation(site, carrier, name).carry_out().status is Status.CHANGED
        ended = kept_of(site, refs)
        # Once there is a new value it is the one that counts in the end.
        wanted = [(was.coming or was.current).value for was in begun if was.stage]
        assert [kept.current.value for kept, was in zip(ended, begun, strict=True) if was.stage] == wanted
        assert [kept.former[0].value for kept in ended] == before
        assert {(kept.stage, kept.coming) for kept in ended} == {(None, None)}
        assert [done for done in carrier.done if done.startswith(("try", "verify"))][-1:] == ["verify"]


@pytest.mark.parametrize("name", DONE)
def test_a_rotation_killed_at_any_step_is_finished_by_the_next_run_with_the_same_value(
    site: SecretSite, carrier: FakeCarrier, name: str
) -> None:
    refs = plan(name).refs
    for number, dies_at in enumerate(DONE[name]):
        former = [kept.current.value for kept in kept_of(site, refs)]
        carrier.done = []
        carrier.says = lambda _done, number=number: die(len(carrier.done) > number)  # type: ignore[misc]
        with pytest.raises(Died):
            rotation(site, carrier, name).carry_out()
        assert carrier.done == DONE[name][: number + 1]
        begun = [(kept.coming or kept.current).value for kept in kept_of(site, refs)]
        assert begun != former
        carrier.says, carrier.done = (lambda _done: Status.OK), []
        assert "where a run was cut short" in rotation(site, carrier, name).carry_out().message
        # From the last change of the store on all is done again: a rollout of what is as declared changes nothing.
        left = DONE[name][number:]
        assert carrier.done[-len(left) :] == left, dies_at
        ended = kept_of(site, refs)
        assert [kept.current.value for kept in ended] == begun
        assert [kept.former[0].value for kept in ended] == former
        assert {kept.stage for kept in ended} == {None}


@pytest.mark.parametrize("name", DONE)
def test_a_rotation_killed_before_any_change_of_the_store_makes_no_second_value(
    site: SecretSite, carrier: FakeCarrier, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    refs, save = plan(name).refs, SecretStore.save
    stages = [REACHES[step.act] for step in plan(name).steps if step.act in REACHES]
    for stage in (*stages, None):
        former = [kept.current.value for kept in kept_of(site, refs)]

        def killed(store: SecretStore, document: SecretDocument, stage: RotationStage | None = stage) -> None:
            die(document.secrets[refs[0]].stage is stage)
            save(store, document)

        with monkeypatch.context() as dying:
            dying.setattr(SecretStore, "save", killed)
            with pytest.raises(Died):
                rotation(site, carrier, name).carry_out()
        begun = kept_of(site, refs)
        assert rotation(site, carrier, name).carry_out().status is Status.CHANGED
        ended = kept_of(site, refs)
        assert [kept.former[0].value for kept in ended] == former
        if begun[0].stage:
            assert [kept.current.value for kept in ended] == [(kept.coming or kept.current).value for kept in begun]


@pytest.mark.parametrize("name", DONE)
def test_a_step_that_fails_ends_the_rotation_and_says_where_it_goes_on(
    site: SecretSite, carrier: FakeCarrier, name: str
) -> None:
    for number in range(len(DONE[name])):
        carrier.done = []
        carrier.says = lambda _done, number=number: Status.FAILED if len(carrier.done) > number else Status.OK  # type: ignore[misc]
        stopped = rotation(site, carrier, name).carry_out()
        assert (stopped.status, carrier.done) == (Status.FAILED, DONE[name][: number + 1])
        assert "stopped at step" in stopped.message
        assert f"rotate {' '.join(f'{ref.name}/{ref.key}' for ref in plan(name).refs)}` goes on" in stopped.next
        assert {kept.stage for kept in kept_of(site, plan(name).refs)} != {None}
        carrier.says = lambda _done: Status.OK
        rotation(site, carrier, name).carry_out()


@pytest.mark.parametrize("name", DONE)
def test_ten_rotations_in_a_row_leave_the_value_before_the_last_and_no_more(
    site: SecretSite, carrier: FakeCarrier, name: str
) -> None:
    ref = plan(name).refs[0]
    values = [site.store.value(ref.name, ref.key)]
    rotation(site, carrier, name).carry_out()
    values.append(site.store.value(ref.name, ref.key))
    once = _shape(site)
    for _ in range(9):
        rotation(site, carrier, name).carry_out()
        values.append(site.store.value(ref.name, ref.key))
    former = [value.value.get_secret_value() for value in site.store.document("main").secrets[ref].former]
    assert len(set(values)) == 11
    # Events of long ago bear every signing key there was.
    wanted = values[-2::-1] if ref.name == "synapse-signing-key" else [values[-2]]
    assert former == wanted
    assert {kept.stage for kept in site.store.document("main").secrets.values()} == {None}
    files = {path.name for path in (site.folder / "secrets").iterdir()}
    assert files == {"main.age", "main.index.json", "li.age", "li.index.json", "former"}
    assert len(list((site.folder / "secrets" / "former").iterdir())) == KEPT_VERSIONS
    index = kept_indexes(site.folder)["main"]
    assert ({entry.stage for entry in index.entries.values()}, index.stale) == ({None}, "")
    if ref.name != "synapse-signing-key":
        assert _shape(site) == once


def _shape(site: SecretSite) -> tuple[dict[SecretRef, int], list[str], list[str]]:
    """How many values are kept of each secret, what the index has, and the files beside `former`."""
    secrets = site.store.document("main").secrets
    index = json.loads((site.folder / "secrets" / "main.index.json").read_text("utf-8"))
    entries = [f"{name}: {sorted(entry)}" for name, entry in index["secrets"].items()]
    files = [str(path) for path in site.folder.rglob("*") if "former" not in path.parts and "state" not in path.parts]
    return {ref: len(kept.values) for ref, kept in secrets.items()}, entries, sorted(files)


@pytest.mark.parametrize("name", DONE)
@pytest.mark.parametrize("when", [0, -1])
def test_until_then_everybody_who_looks_is_told_of_it_without_the_key(
    site: SecretSite, carrier: FakeCarrier, monkeypatch: pytest.MonkeyPatch, name: str, when: int
) -> None:
    known = replace(SITE, folder=site.folder)
    assert (_judged(site).findings, list(rotations(LintView(known, date(2026, 11, 30))))) == ((), [])
    refs = plan(name).refs
    carrier.says = lambda done: die(done == DONE[name][when])
    with pytest.raises(Died):
        rotation(site, carrier, name).carry_out()
    stage = kept_of(site, refs)[0].stage
    ((number, last),) = [
        (number, step) for number, step in enumerate(plan(name).steps, 1) if REACHES.get(step.act) is stage
    ]
    monkeypatch.delenv(VARIABLE)
    for found in ([*_judged(site).findings], [*rotations(LintView(known, date(2026, 11, 30)))]):
        assert len(found) == len(refs)
        for finding, ref in zip(found, sorted(refs), strict=True):
            assert f"its rotation has not ended: step {number} was done last ({last.words[:10]}" in finding.message
            assert finding.message.endswith(" UTC")
            assert finding.remedy == f"python -m flows.secrets rotate {ref.name}/{ref.key}"


def test_an_index_of_an_earlier_version_is_read_and_is_no_proof_that_nothing_was_begun(site: SecretSite) -> None:
    path = site.folder / "secrets" / "main.index.json"
    older = {key: value for key, value in json.loads(path.read_text("utf-8")).items() if key != "tells_rotations"}
    path.write_text(json.dumps(older), "utf-8")
    seen = _judged(site)
    assert (seen.findings, "main.index.json was written by an earlier version" in seen.doubt) == ((), True)
    (finding,) = rotations(LintView(replace(SITE, folder=site.folder), date(2026, 11, 30)))
    assert "python -m flows.secrets recipients" in finding.remedy
    assert site.run("recipients", "--quiet")[0] == 0
    assert _judged(site).doubt == ""
    # Once is enough.
    before = path.read_bytes()
    assert site.run("recipients", "--quiet")[0] == 0
    assert path.read_bytes() == before


def test_a_run_killed_between_the_two_files_leaves_an_index_that_nobody_believes(
    site: SecretSite, carrier: FakeCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, content: bytes) -> None:
        die(path.name == "main.index.json")
        write_private(path, content)

    with monkeypatch.context() as dying:
        dying.setattr("tasks.secrets.files.write_private", killed)
        with pytest.raises(Died):
            rotation(site, carrier).carry_out()
    assert kept_of(site, [REDIS])[0].stage is RotationStage.OFFERED
    seen = {check.id: run(check, _view(site)) for check in CHECKS}
    hidden = [f"secrets/{name}" for name in ("kept", "strength", "age", "rotations", "shared", "recipients")]
    assert [name for name in hidden if "main.index.json was written for another main.age" not in seen[name].doubt] == []
    (finding,) = rotations(LintView(replace(SITE, folder=site.folder), date(2026, 11, 30)))
    assert "was written for another main.age" in finding.message
    state = site.run("status", "--quiet")[1]["outcomes"]
    row = next(row for row in state if row["subject"] == "secret/redis")
    assert row["next"] == "python -m flows.secrets rotate redis/password"
    assert rotation(site, carrier).carry_out().status is Status.CHANGED
    assert (_judged(site).findings, _judged(site).doubt) == ((), "")


def test_an_index_without_its_file_is_believed_in_nothing(site: SecretSite) -> None:
    (site.folder / "secrets" / "main.age").unlink()
    assert "main.age, of which main.index.json tells, is not there" in _judged(site).doubt


def test_a_rotation_that_has_not_ended_of_a_secret_that_is_needed_no_longer_is_named_too(
    site: SecretSite, carrier: FakeCarrier
) -> None:
    carrier.says = lambda _done: die(True)
    with pytest.raises(Died):
        rotation(site, carrier, "grafana/secret_key").carry_out()
    path = site.folder / "site.yaml"
    settings = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump({**settings, "features": {"monitoring": False}}), "utf-8")
    (finding,) = rotations(LintView(load_site(site.folder), date(2026, 11, 30)))
    code, report = site.run("status", "--quiet")
    (row,) = [row for row in report["outcomes"] if row["status"] == "drift"]
    assert (code, row["subject"]) == (2, "secret/grafana/secret_key")
    for text, step in ((finding.message, finding.remedy), (row["message"], row["next"])):
        assert "its rotation has not ended: its new value is replaced, on 20" in text
        assert step.endswith("then python -m flows.secrets rotate grafana/secret_key")


def test_half_a_file_that_a_killed_run_left_goes_with_the_next_write(site: SecretSite, carrier: FakeCarrier) -> None:
    for name in ("main.age", "main.index.json", "li.age"):
        (site.folder / "secrets" / f".{name}.4711.draft").write_bytes(b"half")
    assert rotation(site, carrier).carry_out().status is Status.CHANGED
    assert [path.name for path in (site.folder / "secrets").glob(".*")] == [".li.age.4711.draft"]


def _view(site: SecretSite) -> ComplianceView:
    return ComplianceView(site=SITE, now=datetime.now(UTC), secrets=kept_secrets(site.folder))


def _judged(site: SecretSite) -> Verdict:
    (check,) = [check for check in CHECKS if check.id == "secrets/rotations"]
    return run(check, _view(site))
