"""Synapse's configuration is judged before anything of it is written, and what is wrong with it fails it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.checkout import ROOT
from tasks.application_images import PinnedReference
from tasks.rollout.synapse_check import ImageQuestion, SynapseVerdict
from tests.flows.rollout.stage import SPACE, Stage, by_name, outcomes, settings
from tests.model.rollout.synapse.synapse_sites import VERSION, rendered, site
from tests.remote.memory_api import Manifest

IMAGE = f"docker.io/matrixdotorg/synapse:v{VERSION}@sha256:{'c' * 64}"


class Question:
    """What Synapse is asked and answers; `before` is what had been written of the application by then."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage = stage
        self.answer = SynapseVerdict()
        self.images: list[PinnedReference] = []
        self.before: list[str] = []
        self.lacking: tuple[str, ...] = ()
        stage.objects["ground"] = [SPACE]
        stage.objects["synapse"] = [settings("synapse"), _pods()]
        stage.files["synapse"] = dict(rendered(site("small"), "synapse").files)
        stage.components(ground=(), synapse=("ground",))
        stage.api.become = _become
        monkeypatch.setattr("flows._rollout.rollout.ImageStaging", lambda _run: _Staging())
        monkeypatch.setattr("flows._rollout.synapse.application_images.missing", lambda *_: self.lacking)
        monkeypatch.setattr("flows._rollout.synapse.checked_in_image", self._asked)

    def run(self, *, dry_run: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
        """Roll out; return the report and its entry of Synapse."""
        _, report = self.stage.run(dry_run=dry_run)
        return report, by_name(report)["synapse"]

    @property
    def written(self) -> list[str]:
        """What was written of Synapse."""
        return [line for line in self.stage.api.written if "/namespaces/space/" in line]

    @property
    def everything(self) -> list[str]:
        """What was written of anything but the lease."""
        return [line for line in self.stage.api.written if "/leases" not in line]

    def _asked(self, _host: object, question: ImageQuestion, _state: Path) -> SynapseVerdict:
        self.images.append(question.image)
        self.before += [line for line in self.stage.api.written if "/namespaces/space" in line]
        return self.answer


class _Staging:
    outcomes: tuple[()] = ()
    lacking: tuple[()] = ()

    def stage(self) -> None:
        """Every node has every image."""


def _pods() -> Manifest:
    labels = {"app.kubernetes.io/name": "synapse-main"}
    container = {"name": "synapse", "image": IMAGE, "readinessProbe": {"tcpSocket": {"port": 1}}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}}
    spec["template"] = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {**settings("synapse-main"), "apiVersion": "apps/v1", "kind": "StatefulSet", "spec": spec, "data": {}}


def _become(document: Manifest) -> None:
    if document["kind"] == "StatefulSet":
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas"), 1)
        document["status"] = {"observedGeneration": document["metadata"]["generation"], **counts}
    elif document["kind"] == "Namespace":
        document["status"] = {"phase": "Active"}


@pytest.fixture
def question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Question:
    return Question(Stage(tmp_path, monkeypatch), monkeypatch)


def test_synapse_is_asked_in_the_very_image_before_the_first_write(question: Question) -> None:
    _, synapse = question.run()
    assert synapse["status"] == "changed"
    assert [image.whole for image in question.images] == [IMAGE]
    assert question.before == []
    assert question.written


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (SynapseVerdict(complaints=("synapse-main-0: Synapse refuses it: no",)), "failed"),
        (SynapseVerdict(unproven=("Synapse's own check did not run: no",)), "unproven"),
    ],
)
def test_what_is_wrong_fails_the_component_and_nothing_of_it_is_written(
    answer: SynapseVerdict, status: str, question: Question
) -> None:
    question.answer = answer
    report, synapse = question.run()
    (sentence,) = answer.complaints + answer.unproven
    assert (synapse["status"], synapse["why"]) == ("failed", sentence)
    assert outcomes(report, status)["synapse/check"] == sentence
    assert question.written == []
    assert by_name(report)["ground"]["status"] == "changed"


def test_our_own_rules_count_beside_its_answer(question: Question) -> None:
    files = dict(question.stage.files["synapse"])
    question.stage.files["synapse"] = files | {
        "homeserver.yaml": f"{files['homeserver.yaml']}enable_registartion: true\n"
    }
    _, synapse = question.run()
    assert synapse["status"] == "failed"
    assert "enable_registartion" in synapse["why"]
    assert question.written == []


def test_an_image_that_is_on_no_node_is_no_approval(question: Question) -> None:
    question.lacking = (IMAGE,)
    report, _ = question.run(dry_run=True)
    assert "is on no node yet" in outcomes(report, "not_run")["synapse/check"]
    report, synapse = question.run()
    assert synapse["status"] == "failed"
    assert "came to no node" in outcomes(report, "unproven")["synapse/check"]
    assert (question.images, question.written) == ([], [])


def test_nobody_is_asked_where_nothing_changes(question: Question) -> None:
    question.run()
    question.images.clear()
    _, synapse = question.run()
    assert (synapse["status"], question.images) == ("ok", [])


DUMP = Path("state/routes-1.164.0.json")
KEEP = f"keep the image's own table: `cp {DUMP} model/rollout/synapse/`, then run again"


@pytest.mark.parametrize("dry_run", [False, True])
def test_other_routes_in_the_image_are_shown_and_stop_nothing(dry_run: bool, question: Question) -> None:
    question.answer = SynapseVerdict(routes=("GET ^/x$: new in the image",), dump=DUMP)
    report, synapse = question.run(dry_run=dry_run)
    (told,) = (row for row in report["outcomes"] if row["subject"] == "synapse/routes")
    words = f"GET ^/x$: new in the image (HAProxy's maps are made from the routes of {VERSION})"
    assert (told["status"], told["message"], told["next"]) == ("ok", words, KEEP)
    assert told["evidence"] == {"severity": "warning"}
    assert synapse["status"] == ("drift" if dry_run else "changed")
    assert bool(question.written) is not dry_run


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_route_that_would_reach_nobody_is_refused_before_anything_is_written(
    dry_run: bool, question: Question
) -> None:
    gone = ("GET ^/x$: gone",)
    question.answer = SynapseVerdict(routes=gone, misrouted=("GET ^/x$: nowhere",), dump=DUMP)
    code, report = question.stage.run(dry_run=dry_run)
    (told,) = (row for row in report["outcomes"] if (row["subject"], row["status"]) == ("synapse/routes", "drift"))
    assert (code, told["message"], told["next"]) == (2 if dry_run else 1, "GET ^/x$: nowhere", KEEP)
    assert by_name(report)["synapse"]["why"] == "GET ^/x$: nowhere"
    assert question.everything == []


def test_the_proxy_alone_is_held_to_what_the_image_serves(question: Question) -> None:
    question.stage.components(ground=(), synapse=("ground",), haproxy=("ground",))
    assert question.run()[1]["status"] == "changed"
    question.stage.objects["haproxy"] = [settings("haproxy", maps="others")]
    question.answer = SynapseVerdict(complaints=("of its files",), misrouted=("GET ^/x$: nowhere",), dump=DUMP)
    before = question.everything
    code, report = question.stage.run()
    assert (code, question.everything) == (1, before)
    assert by_name(report)["haproxy"]["why"] == "GET ^/x$: nowhere"
    assert (by_name(report)["synapse"]["status"], by_name(report)["synapse"]["why"]) == ("ok", "")


def test_a_proxy_without_a_synapse_is_compared_with_nothing(question: Question) -> None:
    question.stage.components(ground=(), haproxy=("ground",))
    _, report = question.stage.run()
    assert (by_name(report)["haproxy"]["status"], question.images) == ("changed", [])


def test_settings_that_were_held_to_another_version_are_told(question: Question) -> None:
    text = (ROOT / "inventory/images.yaml").read_text("utf-8")
    assert f"v{VERSION}" in text
    (question.stage.folder / "images.yaml").write_text(text.replace(f"v{VERSION}", "v1.199.0"), "utf-8")
    report, synapse = question.run()
    assert synapse["status"] == "changed"
    (told,) = (row for row in report["outcomes"] if row["subject"] == "synapse/settings")
    assert told["message"] == f"the settings of Synapse 1.199.0 are not kept: they were held to those of {VERSION}"
    assert "apps/setting_dump/setting_dump.py 1.199.0 " in told["next"]
    assert "model/rollout/synapse/settings-1.199.0.json" in told["next"]
