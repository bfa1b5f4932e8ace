"""Claims about Synapse's own check on a node: what it is given, what its silence means, what stays there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model.rollout.synapse.check_files import check_files
from model.rollout.synapse.routes import read
from tasks.application_images import PinnedReference
from tasks.rollout import synapse_check
from tasks.rollout.synapse_check import ImageQuestion, SynapseVerdict, checked_in_image, judged_here, packed
from tests.model.rollout.synapse.synapse_sites import VERSION, rendered, running, site, table
from tests.tasks.fake_image import FakeImage
from tests.tasks.local import here

HOST: Any = SimpleNamespace(name="w-1")
IMAGE = "docker.io/matrixdotorg/synapse:v1.163.2"
PINNED = PinnedReference(f"{IMAGE}@sha256:{'a' * 64}")
SITE = site("small")
FILES = check_files(rendered(SITE, "synapse"), running(SITE))
ACCEPTED = {"version": VERSION, "complaints": dict.fromkeys(FILES.asked, "")}
DUMP = (Path(synapse_check.__file__).parents[2] / f"model/rollout/synapse/routes-{VERSION}.json").read_text()
# How far `ctr run` may have come when it ends without having tidied up.
STAGES = ("snapshots", "containers", "tasks")


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeImage:
    here(monkeypatch)
    return FakeImage(tmp_path, monkeypatch, ACCEPTED, DUMP)


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ask(state: Path, image: PinnedReference = PINNED, version: str = VERSION) -> SynapseVerdict:
    question = ImageQuestion(
        image=image, version=version, component=rendered(SITE, "synapse"), running=running(SITE), table=table()
    )
    return checked_in_image(HOST, question, state)


def dump(change: Callable[[list[list[Any]]], object], version: str = VERSION) -> str:
    """Return what an image prints that serves something else."""
    document = json.loads(DUMP)
    change(document["routes"])
    return json.dumps(document | {"version": version})


def test_what_synapse_accepts_is_good_and_not_asked_again(image: FakeImage, tmp_path: Path) -> None:
    assert ask(tmp_path / "state") == SynapseVerdict()
    assert len(image.calls) == 2
    assert ask(tmp_path / "state") == SynapseVerdict(cached=True)
    assert len(image.calls) == 2


def test_another_image_under_the_same_tag_is_asked_anew(image: FakeImage, tmp_path: Path) -> None:
    ask(tmp_path / "state")
    image.answer(routes=DUMP.replace("SyncRestServlet", "OtherServlet"))
    assert ask(tmp_path / "state").good, "the same image"
    other = ask(tmp_path / "state", PinnedReference(f"{IMAGE}@sha256:{'b' * 64}"))
    assert not other.cached
    assert other.routes


def test_where_no_digest_is_known_the_tag_counts(image: FakeImage, tmp_path: Path) -> None:
    ask(tmp_path / "state", PinnedReference(IMAGE))
    assert ask(tmp_path / "state", PinnedReference(IMAGE)).cached
    assert not ask(tmp_path / "state", PinnedReference(f"{IMAGE}-1")).cached
    assert len(image.calls) == 4


def test_it_is_given_every_file_of_a_process_and_no_secret(image: FakeImage, tmp_path: Path) -> None:
    ask(tmp_path / "state")
    seen = image.calls[0]
    for paths in FILES.asked.values():
        assert set(paths) <= seen.keys()
    secrets = {path: text for path, (_, text) in seen.items() if "secrets/" in path}
    assert len(secrets) == 6
    assert set(secrets.values()) == {"stands-in-for-a-secret", f"ed25519 a_check {'A' * 43}\n"}
    assert {mode for mode, _ in seen.values()} == {"0o600"}


def test_nothing_stays_on_the_node(image: FakeImage, tmp_path: Path) -> None:
    ask(tmp_path / "state")
    image.answer(config_code=1)
    ask(tmp_path / "other")
    assert image.left == []


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_stays_of_a_run_that_broke_off(image: FakeImage, tmp_path: Path, stage: str) -> None:
    image.answer(dies_after=stage)
    assert ask(tmp_path / "state").unproven
    assert image.left == []


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_stays_of_a_run_that_was_killed(image: FakeImage, stage: str) -> None:
    image.answer(hangs_after=stage)
    argv = ("sh", "-c", synapse_check.SCRIPT.read_text(), "sh", IMAGE, "check", "python3", "/check/a.py")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True) as script:
        assert script.stdin is not None
        script.stdin.write(packed({"check/a.py": "pass"}))
        script.stdin.close()
        wait_until(lambda: stage in image.kept)
        assert len(image.left) > 1, "the folder, and what containerd has of it"
        os.killpg(script.pid, signal.SIGTERM)
        assert script.wait(30) == 129
    assert image.left == []


def test_what_synapse_refuses_is_named_and_kept(image: FakeImage, tmp_path: Path) -> None:
    complaints = {**dict.fromkeys(FILES.asked, ""), "synapse-sync-0": "no writer"}
    image.answer({"version": VERSION, "complaints": complaints})
    for _ in range(2):
        assert ask(tmp_path / "state").complaints == ("synapse-sync-0: Synapse refuses it: no writer",)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"config": ""}, "printed nothing"),
        ({"config": {"version": VERSION, "complaints": {}}}, "spoke of nobody"),
        ({"config_code": 1, "config_error": "ctr: image not found"}, "ctr: image not found"),
        ({"routes": '{"version": "1", "routes": [], "trees": []}'}, "routes is empty"),
        ({"routes_code": 1}, "it said nothing"),
    ],
)
def test_silence_is_no_approval(answer: dict[str, Any], why: str, image: FakeImage, tmp_path: Path) -> None:
    image.answer(**answer)
    verdict = ask(tmp_path / "state")
    assert not verdict.good
    assert why in verdict.unproven[0]
    image.answer()
    assert ask(tmp_path / "state").good, "what was not answered is asked again"


NEW = ["GET", "^/_matrix/client/unstable/org.example/new$", "NewServlet", ["main"]]


def test_other_routes_in_the_image_are_told_and_its_table_is_left_to_be_kept(image: FakeImage, tmp_path: Path) -> None:
    state, text = tmp_path / "state", dump(lambda rows: rows.append(NEW), "1.164.0")
    image.answer({**ACCEPTED, "version": "1.164.0"}, routes=text)
    for asked_before in (False, True):
        verdict = ask(state, version="1.164.0")
        assert (verdict.cached, verdict.complaints, verdict.misrouted) == (asked_before, (), ())
        assert verdict.routes == (f"{NEW[0]} {NEW[1]}: new in the image",)
        assert verdict.dump == state / "routes-1.164.0.json"
        assert read(verdict.dump.read_text()) == read(text)
        verdict.dump.unlink()


def test_a_route_that_would_reach_a_worker_without_it_is_told_apart(image: FakeImage, tmp_path: Path) -> None:
    def change(rows: list[list[Any]]) -> None:
        for row in rows:
            row[3] = ["main"] if row[2] == "WhoamiRestServlet" else row[3]

    image.answer(routes=dump(change))
    (sentence,) = ask(tmp_path / "state").misrouted
    assert "whoami" in sentence
    assert "and the image serves it on main alone" in sentence


def test_another_table_here_is_compared_with_what_the_image_said_before(
    image: FakeImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = dump(lambda rows: rows.append(NEW))
    image.answer(routes=text)
    assert ask(tmp_path / "state").routes
    monkeypatch.setattr(f"{__name__}.table", lambda: read(text))
    assert ask(tmp_path / "state") == SynapseVerdict(cached=True)


def test_a_pattern_that_cannot_be_read_is_no_approval(image: FakeImage, tmp_path: Path) -> None:
    image.answer(routes=dump(lambda rows: rows.append(["GET", "^/a{2}$", "A", ["main"]])))
    (sentence,) = ask(tmp_path / "state").unproven
    assert "{ at 2 is not known" in sentence


def test_an_image_of_another_version_than_its_tag_is_told(image: FakeImage, tmp_path: Path) -> None:
    (sentence,) = ask(tmp_path / "state", version="1.164.0").complaints
    assert sentence == f"images.yaml: the image is Synapse {VERSION}, and its tag says 1.164.0"


def test_what_another_version_of_the_check_kept_is_asked_anew(image: FakeImage, tmp_path: Path) -> None:
    state = tmp_path / "state"
    ask(state)
    (known,) = json.loads((state / synapse_check.CACHE).read_text())
    (state / synapse_check.CACHE).write_text(json.dumps({known: {"complaints": [], "routes": []}}))
    assert ask(state) == SynapseVerdict()


def test_our_own_rules_need_no_image() -> None:
    assert judged_here(rendered(SITE, "synapse"), running(SITE), VERSION).good
    other = judged_here(rendered(SITE, "synapse"), running(SITE), "1.199.0")
    assert (other.doubts, other.unproven) == (
        (f"the settings of Synapse 1.199.0 are not kept: they were held to those of {VERSION}",),
        (),
    )
    unknown = judged_here(rendered(SITE, "synapse"), running(SITE), "prod")
    assert unknown.unproven == ("images.yaml: prod is no version of Synapse: a misspelt setting would not be seen",)
    assert not other.good
    assert not unknown.good


def test_a_misspelt_setting_is_told_once_with_its_file() -> None:
    component = rendered(SITE, "synapse")
    files = {**component.files, "homeserver.yaml": component.files["homeserver.yaml"].replace("cp_min", "cp_mni")}
    assert judged_here(replace(component, files=files), running(SITE), VERSION).good, "database.args is libpq's"
    files["homeserver.yaml"] = files["homeserver.yaml"].replace("global_factor", "global_fator")
    sentence = (
        f"homeserver.yaml: Synapse {VERSION} documents no setting caches.global_fator; did you mean global_factor?"
    )
    assert judged_here(replace(component, files=files), running(SITE), VERSION).complaints == (sentence,)
