"""In which order Synapse's processes change: main before its workers, and senders are gone before others start."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows._rollout.synapse import SynapseCheck
from remote.api_endpoint import ApiRequest
from tests.flows.rollout.stage import SPACE, Stage, by_name
from tests.remote.memory_api import Manifest

MAIN, WORKER, SENDER = "synapse-main", "synapse-sync", "synapse-federation-sender"
_SETS = "/apis/apps/v1/namespaces/space/statefulsets/"


def stateful_set(name: str, *, replicas: int = 1, version: str = "1") -> Manifest:
    labels = {"app.kubernetes.io/name": name}
    container = {"name": "synapse", "image": f"x/y:{version}", "readinessProbe": {"tcpSocket": {"port": 1}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    meta = {"name": name, "namespace": "space", "labels": {"app.kubernetes.io/managed-by": "matrix-fleet"}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": spec}


class Synapse:
    """A stage whose component has main, a worker and senders; `events` is what happened to them, in order."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.events: list[str] = []
        # Looks after which a set of a name is ready.
        self.slow: dict[str, int] = {}
        self.stays = False
        stage.objects["ground"] = [SPACE]
        self.declare()
        stage.components(ground=(), synapse=("ground",))
        stage.api.become = self._become
        stage.api.before = self._before

    def declare(self, *, version: str = "1", senders: int = 1) -> None:
        """Declare processes of a version, and so many senders."""
        sets = [stateful_set(WORKER, version=version), stateful_set(MAIN, version=version)]
        if senders:
            sets.append(stateful_set(SENDER, replicas=senders, version=version))
        self.stage.objects["synapse"] = sets

    def run(self) -> list[str]:
        """Roll out; return what happened meanwhile."""
        self.events.clear()
        code, report = self.stage.run()
        self.code, self.result = code, by_name(report)["synapse"]
        return list(self.events)

    def _become(self, document: Manifest) -> None:
        name = document["metadata"]["name"]
        if document["kind"] == "StatefulSet":
            self.events.append(f"applied {name}")
            count = 0 if self.slow.get(name) else document["spec"]["replicas"]
            status = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas"), count)
            document["status"] = {"observedGeneration": document["metadata"]["generation"], **status}
            if name == SENDER:
                self.stage.api.put(self._pod(), "kubelet")
        elif document["kind"] == "Namespace":
            document["status"] = {"phase": "Active"}

    def _before(self, request: ApiRequest, body: Manifest) -> None:
        if request.method == "PATCH" and request.path.startswith(_SETS) and body.get("spec") == {"replicas": 0}:
            self.events.append(f"stopped {request.path.removeprefix(_SETS)}")
            if not self.stays:
                self.stage.api.objects.pop(("v1", "pods", "space", f"{SENDER}-0"), None)
        if request.method == "GET" and request.path == _SETS.rstrip("/"):
            for name, looks in self.slow.items():
                if looks > 0 and ("apps/v1", "statefulsets", "space", name) in self.stage.api.objects:
                    self.slow[name] = looks - 1
                    self._settle(name)

    def _settle(self, name: str) -> None:
        document = self.stage.api.objects["apps/v1", "statefulsets", "space", name].document
        if not self.slow[name] and not document["status"]["readyReplicas"]:
            document["status"] |= dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas"), 1)
            self.events.append(f"ready {name}")

    @staticmethod
    def _pod() -> Manifest:
        meta = {"name": f"{SENDER}-0", "namespace": "space", "labels": {"app.kubernetes.io/name": SENDER}}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}, "status": {"phase": "Running"}}


@pytest.fixture
def synapse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Synapse:
    monkeypatch.setattr("flows._rollout.rollout.check_synapse", lambda _run: SynapseCheck())
    monkeypatch.setattr("flows._rollout.component_work.EMPTIED_SECONDS", 0.5)
    return Synapse(Stage(tmp_path, monkeypatch))


def test_at_a_first_rollout_nothing_waits_for_main(synapse: Synapse) -> None:
    synapse.slow[MAIN] = 4
    events = synapse.run()
    assert synapse.result["status"] == "changed"
    assert sorted(events[:3]) == [f"applied {name}" for name in (SENDER, MAIN, WORKER)]
    assert events[3:] == [f"ready {MAIN}"]


def test_where_main_runs_it_changes_first_and_is_awaited(synapse: Synapse) -> None:
    synapse.run()
    synapse.declare(version="2")
    synapse.slow[MAIN] = 4
    events = synapse.run()
    assert synapse.result["status"] == "changed"
    assert events[:2] == [f"applied {MAIN}", f"ready {MAIN}"]
    assert sorted(events[2:]) == [f"applied {SENDER}", f"applied {WORKER}"]


def test_workers_stay_as_they_are_where_main_does_not_become_ready(
    synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    synapse.run()
    synapse.declare(version="2")
    synapse.slow[MAIN] = 1_000_000
    monkeypatch.setattr("tasks.rollout.waiting.ReadinessWait._over", True)
    assert synapse.run() == [f"applied {MAIN}"]
    assert synapse.result["status"] == "failed"
    assert f"StatefulSet space/{MAIN} is not ready" in synapse.result["why"]
    assert synapse.run() == [], "main is as declared by now, and still not ready"


def test_where_everything_was_stopped_nothing_waits_for_main(synapse: Synapse) -> None:
    synapse.run()
    synapse.stage.api.cluster().patch(f"{_SETS}{MAIN}", {"spec": {"replicas": 0}})
    synapse.declare(version="2")
    synapse.slow[MAIN] = 4
    events = synapse.run()
    assert events.index(f"applied {WORKER}") < events.index(f"ready {MAIN}")


@pytest.mark.parametrize("count", [2, 3])
def test_senders_are_gone_before_another_number_of_them_starts(count: int, synapse: Synapse) -> None:
    synapse.run()
    synapse.declare(senders=count)
    assert synapse.run() == [f"stopped {SENDER}", f"applied {SENDER}"]
    assert synapse.result["status"] == "changed"
    assert synapse.stage.api.get(f"{_SETS}{SENDER}")["spec"]["replicas"] == count


def test_as_many_senders_are_not_stopped(synapse: Synapse) -> None:
    synapse.run()
    synapse.declare(version="2")
    assert f"stopped {SENDER}" not in synapse.run()


def test_a_sender_that_stays_fails_the_component_before_another_starts(synapse: Synapse) -> None:
    synapse.run()
    synapse.stays = True
    synapse.declare(senders=2)
    assert synapse.run() == [f"stopped {SENDER}"]
    assert "every process to be gone" in synapse.result["why"]
    synapse.stays = False
    assert synapse.run() == [f"stopped {SENDER}", f"applied {SENDER}"], "the next run goes on from there"


def test_senders_that_are_declared_no_longer_are_gone_before_main_takes_over(synapse: Synapse) -> None:
    synapse.run()
    synapse.declare(version="2", senders=0)
    assert synapse.run() == [f"stopped {SENDER}", f"applied {MAIN}", f"applied {WORKER}"]
    assert synapse.run() == []
