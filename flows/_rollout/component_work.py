"""One component: applied, awaited, pruned, tried by its gates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from time import monotonic

from flows._render.words import counted
from flows._rollout.gates import answered_for, gate_line, proven_before, try_gate
from flows._rollout.results import ComponentResult, GateRun, unready_outcome
from flows._rollout.run import RolloutRun
from flows._run.publish import CONTROLLER
from model.errors import FleetError, KubernetesError
from model.kubernetes.manifests import Manifest
from model.kubernetes.waves import is_workload, waves
from model.report.outcome import Outcome, Status
from model.rollout.changes import APPLIES, WRITES, ChangeKind, ObjectChange
from model.rollout.graph import active
from model.rollout.inventory import GateProof, proof
from model.rollout.keys import ObjectKey, key_of
from model.rollout.order import order_of
from model.rollout.readiness import pods_need
from model.rollout.selection import all_needed
from model.site.components import Component
from tasks.rollout.applying import Applier
from tasks.rollout.keeping import InventoryKeeper
from tasks.rollout.pruning import prune
from tasks.rollout.stopping import SECONDS, empty, renumbered
from tasks.rollout.waiting import ReadinessWait

GATE_PATIENCE = 60.0
EMPTIED_SECONDS = SECONDS
_GATE_PAUSE = 3.0
_LEFT_OVER = (ChangeKind.KEPT, ChangeKind.PRUNED)
_GOOD = (Status.OK, Status.CHANGED, Status.NOT_RUN)


class ComponentWork:
    """Brings one component into the cluster; what comes of it stands in its result, whatever happens."""

    def __init__(self, run: RolloutRun, component: Component) -> None:
        self._run = run
        self._component = component
        self._result: ComponentResult = run.results[component.name]
        self._keeper = InventoryKeeper(run.cluster, run.kept(component.name))
        self._declared = run.declaring.declared(component.name)
        self._manifests = [entry.manifest for entry in self._declared]
        self._order = order_of(component.name)

    def work(self) -> None:
        """Do all of it, in order; the first thing that fails ends it."""
        started = monotonic()
        try:
            if self._applied() and self._ready(self._manifests) and self._pruned():
                self._tried()
                self._judge()
        except KubernetesError as error:
            self._fail(error.message, error.next_step)
        except FleetError as error:
            self._fail(str(error), error.next_step)
        finally:
            self._result.seconds = monotonic() - started

    def _applied(self) -> bool:
        result, run = self._result, self._run
        if result.status is Status.FAILED:
            # By its plan, by an image that did not come, or by Synapse's own check.
            return False
        written = frozenset(change.key for change in result.planned if change.change in WRITES)
        self._keeper.announce(self._declared, written)
        if written:
            words = f"applying {counted(len(written), 'object')}"
            run.progress.doing(self._component.name, words)
            self._say(words)
        changes = [change for change in result.planned if change.change in APPLIES]
        leaders = self._leaders()
        keys = frozenset(map(key_of, leaders))
        for wave in waves(changes, lambda change: change.key.kind, lambda change: change.key in keys):
            behind = leaders if not any(change.key in keys for change in wave) else []
            if is_workload(wave[0].key.kind) and not self._may_begin(wave, behind):
                return False
            applier = Applier(run.cluster, monotonic() + self._component.timeout, self._say, run.checked)
            if not applier.apply(wave, result.done.append, self._refused):
                return False
        self._keeper.applied(self._declared)
        return True

    def _leaders(self) -> list[Manifest]:
        """Return the workloads that go first, of those that run: where none does, nobody takes an old one for new."""
        cluster = self._run.cluster
        named = [manifest for manifest in self._manifests if self._is_one_of(key_of(manifest), self._order.first)]
        live = [(manifest, cluster.find(cluster.path(manifest))) for manifest in named]
        return [manifest for manifest, there in live if there is not None and there["spec"].get("replicas", 1)]

    def _may_begin(self, wave: Sequence[ObjectChange], leaders: Sequence[Manifest]) -> bool:
        """Wait for what these workloads need, and empty those that must have no pod before their number changes."""
        if not self._ready([*filter(pods_need, self._manifests), *leaders]):
            return False
        gone = [change for change in self._result.planned if self._is_one_of(change.key, self._order.gone)]
        # Where none is declared any more, somebody who goes first takes over what they did.
        mine = [change.manifest for change in gone if change in wave or change.change in _LEFT_OVER]
        if stopped := renumbered(self._run.cluster, mine):
            names = ", ".join(live["metadata"]["name"] for live in stopped)
            self._say(f"stopping {names}: another number of them is to run")
            self._run.checked()
            empty(self._run.cluster, stopped, EMPTIED_SECONDS)
        return True

    @staticmethod
    def _is_one_of(key: ObjectKey, names: Collection[str]) -> bool:
        return key.kind == "StatefulSet" and key.name in names

    def _ready(self, manifests: Sequence[Manifest]) -> bool:
        run, name = self._run, self._component.name
        wait = ReadinessWait(
            run.cluster,
            self._component.timeout,
            lambda unready: run.progress.waiting(name, unready),
            run.stop,
            {} if run.writes(run.results) else run.live.fresh,
        )
        unready = wait.until_ready(manifests)
        run.progress.waiting(name, ())
        if not unready:
            return True
        self._result.failures += [unready_outcome(name, entry, run.veil) for entry in unready]
        first = unready[0]
        words = first.troubles[0].words if first.troubles else first.why
        self._result.status = Status.FAILED
        self._result.why = run.veil(f"{first.key} is not ready: {words}")
        return False

    def _pruned(self) -> bool:
        gone: list[ObjectChange] = []
        try:
            prune(self._run.cluster, self._result.planned, gone.append)
        finally:
            self._result.done += gone
            self._keeper.gone(frozenset(change.key for change in gone))
        return True

    def _tried(self) -> None:
        run, name = self._run, self._component.name
        ground = (name, *all_needed(self._component, active(run.context.site)))
        digest, shaken = run.declaring.digest(ground), run.writes(ground)
        proofs: dict[str, GateProof] = {}
        for gate in self._component.gates_of(run.context.site.settings.active):
            kept = self._keeper.kept.proofs.get(gate)
            if kept and not shaken and not run.request.gates and kept.holds(digest, datetime.now(UTC)):
                proofs[gate] = kept
                self._result.gates.append(proven_before(gate, name, kept))
                continue
            run.progress.doing(name, f"trying the gate {gate}")
            tried = self._patiently(gate, GATE_PATIENCE if shaken else 0.0)
            self._result.gates.append(tried)
            self._say(gate_line(tried))
            if tried.result.status is Status.OK:
                proofs[gate] = proof(digest, datetime.now(UTC))
        self._keeper.proven(proofs)

    def _patiently(self, gate: str, seconds: float) -> GateRun:
        """Try a gate; what was only just started is given a while to find together, and tried again."""
        deadline = monotonic() + seconds
        while True:
            tried = try_gate(gate, self._component.name, self._run.gate_context())
            settled = tried.result.status in _GOOD or self._answered_for(tried)
            if settled or monotonic() >= deadline or self._run.stop.is_set():
                return tried
            self._say(f"not yet: {gate_line(tried)}")
            self._run.stop.wait(_GATE_PAUSE)

    def _judge(self) -> None:
        result = self._result
        result.status = Status.CHANGED if result.done else Status.OK
        answered = {gate.name: words for gate in result.gates if (words := self._answered_for(gate))}
        bad = next(
            (gate for gate in result.gates if gate.result.status not in _GOOD and gate.name not in answered), None
        )
        if bad is not None:
            result.status = Status.UNPROVEN if bad.result.status is Status.UNPROVEN else Status.FAILED
            result.why = f"the gate {bad.name}: {bad.result.why}"
        elif answered:
            result.why = "; ".join(answered.values())
        elif unseen := [gate for gate in result.gates if gate.result.status is Status.NOT_RUN and not gate.proven]:
            result.why = "; ".join(f"the gate {gate.name} was not tried: {gate.result.why}" for gate in unseen)

    def _answered_for(self, gate: GateRun) -> str:
        return answered_for(gate, self._run.context.site.settings.waivers)

    def _refused(self, change: ObjectChange, error: KubernetesError) -> None:
        words = self._run.veil(error.message)
        self._result.status, self._result.why = Status.FAILED, f"{change.key}: {words}"
        self._result.failures.append(Outcome(CONTROLLER, change.subject, Status.FAILED, words, next=error.next_step))

    def _fail(self, message: str, step: str) -> None:
        words = self._run.veil(message)
        self._result.status, self._result.why = Status.FAILED, words
        self._result.failures.append(Outcome(CONTROLLER, self._component.name, Status.FAILED, words, next=step))

    def _say(self, line: str) -> None:
        self._run.context.say(self._run.veil(f"{self._component.name}: {line}"))
