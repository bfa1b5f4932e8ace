"""A rotation in a cluster, by the rollout's own engine: what the cluster is given, step by step, and what is left."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows._run.context import Context
from flows._run.journal import Journal
from flows._run.options import Options
from flows._run.screen import Screen
from flows._secrets.carrier import ClusterCarrier
from flows._secrets.rotation_run import RotationRun
from model.errors import LockHeld, PlanRefused
from model.report.outcome import Outcome, Status, warns
from model.rollout.rendered import RenderedComponent, SecretRef
from model.rollout.rotation_steps import SecretUsers, steps_of
from model.rollout.secret_facts import SecretFacts
from model.rollout.secret_rotation import RotationPlan
from model.site.components import Component
from model.site.load import load_site
from model.site.secrets import Procedure, Rotation
from model.site.site import Site
from remote.api_endpoint import ApiRequest
from remote.gates.gate import GateContext, GateResult
from tasks.secrets.store import open_store
from tests.flows.rollout.stage import SPACE, Stage, good, settings
from tests.remote.memory_api import Manifest

REF = SecretRef("redis", "password")
SECRET = "/api/v1/namespaces/space/secrets/held"


class Died(BaseException):
    """What kill -9 is to a test."""


class Rotating(Stage):
    """Component `one` holds a secret, and both values while it is rotated; whoever applies it is written down."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, monkeypatch)
        self.objects["ground"] = [SPACE]
        self.components(ground=(), one=("ground",), two=("one",))
        self.given: list[str] = []
        self.dies_after = -1
        self.api.before = self._watched
        monkeypatch.setattr("flows._secrets.carrier.tried", lambda *_: GateResult(status=Status.OK, why="as it should"))
        assert self.run()[0] == 0
        self.first = self.value()
        self.given.clear()

    def value(self) -> str:
        """The value in use, as the store has it."""
        return open_store(load_site(self.folder)).value(*REF_WORDS).decode()

    def rotation(self, procedure: Procedure = "two-values") -> RotationRun:
        """A run of the rotation."""
        options = Options(inventory=self.folder, quiet=True)
        site = load_site(self.folder)
        self.kept: list[Outcome] = []
        context = Context(
            site=site, options=options, hosts=(), started=datetime.now(UTC), screen=Screen(options), kept=self.kept
        )
        users = SecretUsers(name="redis/password", components=("one",), accepting=("one",))
        plan = RotationPlan(
            realm="main",
            refs=(REF,),
            rotation=Rotation(procedure=procedure),
            components=("one",),
            steps=steps_of(procedure, users),
        )
        return RotationRun(context, Journal(self.folder, "secrets", dry_run=False), ClusterCarrier(context), plan)

    def words(self) -> list[str]:
        """What the cluster was given, the first value and the one of the rotation by names."""
        names = {self.first: "first", self.value(): "second"}
        return ["+".join(names[word] for word in text.split("+")) for text in self.given]

    def _rendered(self, known: Site, component: Component, *rest: Any, **more: Any) -> RenderedComponent:
        facts = more["facts"]
        assert isinstance(facts, SecretFacts)
        found = super()._rendered(known, component, *rest, **more)
        if component.name != "one":
            return found
        text = REF.marker + (f"+{REF.accepted.marker}" if REF in facts.windows else "")
        meta = {"name": "held", "namespace": "space", "labels": {"app.kubernetes.io/managed-by": "matrix-fleet"}}
        held: Manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"text": text}}
        return RenderedComponent(component=component, objects=(*found.objects, held), files={})

    def _watched(self, request: ApiRequest, body: Manifest) -> None:
        if request.path == SECRET and request.method == "PATCH" and "dryRun" not in dict(request.query):
            if len(self.given) == self.dies_after:
                raise Died
            self.given.append(base64.b64decode(body["data"]["text"]).decode())


REF_WORDS = (REF.name, REF.key)
GIVEN = ["first+second", "second+first", "second"]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rotating:
    return Rotating(tmp_path, monkeypatch)


def test_the_cluster_is_given_both_values_while_everybody_changes_over(stage: Rotating) -> None:
    done = stage.rotation().carry_out()
    assert done.status is Status.CHANGED, done
    assert stage.words() == GIVEN
    assert stage.first != stage.value()
    # What everybody uses in the end is what the next rollout declares.
    assert stage.run(dry_run=True)[0] == 0
    assert stage.run()[0] == 0
    assert stage.words() == GIVEN


def test_components_that_do_not_use_it_are_left_alone(stage: Rotating) -> None:
    before = stage.api.get("/api/v1/namespaces/space/configmaps/two")["metadata"]["resourceVersion"]
    stage.objects["two"] = [settings("two", a="edited meanwhile")]
    assert stage.rotation().carry_out().status is Status.CHANGED
    assert stage.api.get("/api/v1/namespaces/space/configmaps/two")["metadata"]["resourceVersion"] == before


def test_a_rollout_meanwhile_sends_what_the_store_has(stage: Rotating) -> None:
    stage.gates["one"] = lambda _context: GateResult(status=Status.FAILED, why="nobody answers")
    stopped = stage.rotation().carry_out()
    assert (stopped.status, len(stage.given)) == (Status.FAILED, 1)
    assert "nobody answers" in stopped.message
    stage.gates["one"] = good
    assert stage.run()[0] == 0
    assert len(stage.given) == 1
    assert stage.rotation().carry_out().status is Status.CHANGED
    assert stage.words() == GIVEN


@pytest.mark.parametrize("number", range(len(GIVEN)))
def test_a_run_that_dies_in_the_middle_of_a_rollout_is_finished_by_the_next(stage: Rotating, number: int) -> None:
    stage.dies_after = number
    with pytest.raises(Died):
        _died(stage.rotation())
    stage.dies_after = -1
    assert stage.rotation().carry_out().status is Status.CHANGED
    assert stage.words() == GIVEN
    assert stage.run(dry_run=True)[0] == 0


def test_somebody_elses_rollout_stops_the_rotation_and_the_next_run_goes_on(
    stage: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(*_: object) -> Iterator[object]:
        raise LockHeld("another run is rolling out on this cluster", next_step="wait for it")

    with monkeypatch.context() as other:
        other.setattr("flows._rollout.rollout.cluster_lease", held)
        stopped = stage.rotation().carry_out()
    assert (stopped.status, stage.given) == (Status.FAILED, [])
    assert "another run is rolling out" in stopped.message
    assert stage.rotation().carry_out().status is Status.CHANGED
    assert stage.words() == GIVEN


def test_what_a_rollout_would_change_besides_is_told_before_it_begins(stage: Rotating) -> None:
    carrier = ClusterCarrier(stage.rotation()._context)
    assert not _bad(carrier.pending(("one",)))
    stage.objects["one"] = [settings("one", a="edited meanwhile")]
    (found,) = _bad(carrier.pending(("one",)))
    assert found.subject == "one/ConfigMap/space/one"
    assert stage.api.get("/api/v1/namespaces/space/configmaps/one")["data"] == {"a": "1"}


def test_what_shares_a_secret_and_is_not_there_is_named_or_refused_before_it_is_stopped(stage: Rotating) -> None:
    stage.objects["one"] += [_mounting("first"), _mounting("other")]
    assert stage.run()[0] == 0
    carrier = ClusterCarrier(stage.rotation()._context)
    seen = carrier.sharing(("one",), (REF,))
    assert (seen.status, seen.message) == (Status.OK, "2 are there to be stopped")
    stage.api.take("/apis/apps/v1/namespaces/space/deployments/other")
    seen = carrier.sharing(("one",), (REF,))
    assert warns(seen.status, seen.evidence)
    assert (seen.message, seen.next) == ("will not be stopped: not in the cluster: other", "python -m flows.rollout")
    stopped = carrier.stop(("one",), (REF,))
    assert (stopped.status, stopped.message) == (
        Status.CHANGED,
        "1 are stopped: first; not in the cluster: other",
    )
    stage.api.take("/apis/apps/v1/namespaces/space/deployments/first")
    for act in (carrier.sharing, carrier.stop):
        with pytest.raises(PlanRefused, match="nothing of one is there to be stopped"):
            act(("one",), (REF,))
    # A cluster made anew: nobody rolled anything out.
    for name in ("ground", "one", "two"):
        stage.api.take(f"/api/v1/namespaces/matrix-fleet/configmaps/matrix-fleet-inventory-{name}")
    assert carrier.stop(("one",), (REF,)).status is Status.NOT_RUN


def test_a_proof_is_the_gate_that_sends_a_message(stage: Rotating, monkeypatch: pytest.MonkeyPatch) -> None:
    carrier = ClusterCarrier(stage.rotation()._context)
    (unseen,) = carrier.verify()
    assert (unseen.status, unseen.message) == (Status.NOT_RUN, "the site has no gate that sends a message")
    monkeypatch.setattr("flows._secrets.carrier._PROOF", "two")
    asked: list[Mapping[str, float]] = []

    def gate(context: GateContext) -> GateResult:
        asked.append(context.options)
        return GateResult(status=Status.FAILED, why="no message came")

    stage.gates["two"] = gate
    (heard,) = carrier.verify()
    assert (heard.status, heard.message, len(asked)) == (Status.FAILED, "no message came", 1)


def _mounting(name: str) -> Manifest:
    """A workload whose pods mount the Secret."""
    labels = {"app.kubernetes.io/name": name}
    meta = {"name": name, "namespace": "space", "labels": {"app.kubernetes.io/managed-by": "matrix-fleet"}}
    volumes = [{"name": "held", "secret": {"secretName": "held"}}]
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [], "volumes": volumes}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def _bad(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.status is not Status.OK]


def _died(run: Any) -> None:
    """Carry a rotation out whose engine has threads: what ends one of them ends the run."""
    outcome = run.carry_out()
    raise AssertionError(f"it ended: {outcome}")
