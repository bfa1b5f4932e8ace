"""What a rotation does in the cluster: by the same engine as `flows.rollout`, and the gates of `flows.validate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from typing import Protocol

from flows._fleet.hosts import closing
from flows._fleet.inventory import inventory
from flows._rollout.gates import gate_context
from flows._rollout.material import render
from flows._rollout.rollout import rollout
from flows._rollout.run import RolloutRequest
from flows._rollout.validate import ValidateRequest, validate
from flows._run.context import Context, FlowResult
from flows._run.publish import CONTROLLER
from model.report.outcome import GOOD, Outcome, Status, warn
from model.report.waivers import waive_outcomes
from model.rollout.gates import places
from model.rollout.rendered import SecretRef
from model.rollout.sharers import Sharer, sharers
from remote.gates.gate import GateContext, GateResult
from remote.gates.refusal import Values, tried
from tasks.rollout.lease import cluster_lease
from tasks.rollout.stopping import look, stop
from tasks.secrets.store import open_store

_PROOF = "message"
# An operator takes a new password over by itself, a moment after it was sent.
_PATIENCE = 60.0
_PAUSE = 2.0


class Carrier(Protocol):
    """Whoever carries the steps of a rotation out; each answers with what came of it."""

    def pending(self, components: Sequence[str]) -> Sequence[Outcome]:
        """Say what a rollout of components would change now; nothing is changed."""

    def roll_out(self, components: Sequence[str]) -> Sequence[Outcome]:
        """Roll components out, all where none is named, with the values that the store has now."""

    def sharing(self, components: Sequence[str], refs: Sequence[SecretRef]) -> Outcome:
        """
        Say which workloads that share these values are not there; nothing is changed.

        Raises `PlanRefused` where nothing of a component is.
        """

    def stop(self, components: Sequence[str], refs: Sequence[SecretRef]) -> Outcome:
        """Stop every process of components that shares these values, until they are rolled out again."""

    def tried(self, name: str, new: Values, former: Values) -> Outcome:
        """See whether the new value of a secret is accepted, and the former one refused."""

    def verify(self) -> Sequence[Outcome]:
        """Send a message from one user to another."""


class ClusterCarrier:
    """Carries them out in the site's cluster."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def pending(self, components: Sequence[str]) -> Sequence[Outcome]:
        """Say what a rollout of components would change now; nothing is changed."""
        options = replace(self._context.options, dry_run=True)
        return self._rolled_out(replace(self._context, options=options, kept=[]), components)

    def roll_out(self, components: Sequence[str]) -> Sequence[Outcome]:
        """Roll components out, all where none is named, with the values that the store has now."""
        return self._rolled_out(replace(self._context, kept=[]), components)

    def sharing(self, components: Sequence[str], refs: Sequence[SecretRef]) -> Outcome:
        """
        Say which workloads that share these values are not there; nothing is changed.

        Raises `PlanRefused` where nothing of a component is.
        """
        with self._gates() as gates:
            seen = look(gates.cluster, _sharers(gates, components, refs))
        if seen.absent:
            return warn(CONTROLLER, "stop", f"will not be stopped: {seen.lacking}", "python -m flows.rollout")
        return Outcome(CONTROLLER, "stop", Status.OK, f"{len(seen.there)} are there to be stopped")

    def stop(self, components: Sequence[str], refs: Sequence[SecretRef]) -> Outcome:
        """Stop every process of components that shares these values, until they are rolled out again."""
        with self._gates() as gates, cluster_lease(gates.cluster):
            seen = stop(gates.cluster, _sharers(gates, components, refs))
        if not seen.there:
            return Outcome(CONTROLLER, "stop", Status.NOT_RUN, f"nothing was ever rolled out: {seen.lacking}")
        stopped = f"{len(seen.there)} are stopped: {', '.join(sharer.name for sharer in seen.there)}"
        return Outcome(CONTROLLER, "stop", Status.CHANGED, "; ".join(filter(None, (stopped, seen.lacking))))

    def tried(self, name: str, new: Values, former: Values) -> Outcome:
        """See whether the new value of a secret is accepted, and the former one refused."""
        deadline = monotonic() + _PATIENCE
        with self._gates() as gates:
            while True:
                result = tried(gates, name, new, former)
                if result.status is not Status.DRIFT or monotonic() >= deadline:
                    return _outcome(name, result)
                Event().wait(_PAUSE)

    def verify(self) -> Sequence[Outcome]:
        """Send a message from one user to another."""
        if _PROOF not in [place.gate for place in places(self._context.site)]:
            why = "the site has no gate that sends a message"
            return (Outcome(CONTROLLER, _PROOF, Status.NOT_RUN, why),)
        context = replace(self._context, kept=[])
        return self._of(context, validate(context, ValidateRequest(gates=(_PROOF,))))

    def _rolled_out(self, context: Context, components: Sequence[str]) -> Sequence[Outcome]:
        return self._of(context, rollout(context, RolloutRequest(components=tuple(components))))

    def _of(self, context: Context, result: FlowResult) -> Sequence[Outcome]:
        outcomes = (*context.kept, *result.outcomes)
        found = waive_outcomes(outcomes, context.site.settings.waivers, datetime.now(UTC).date())
        if result.forced != GOOD:
            return (*found, Outcome(CONTROLLER, "rollout", Status.FAILED, "the plan was refused: see what it names"))
        return found

    @contextmanager
    def _gates(self) -> Iterator[GateContext]:
        from remote.kube import open_cluster

        context, store = self._context, open_store(self._context.site)
        with ExitStack() as stack:
            nr = inventory(context.options.inventory)
            stack.enter_context(closing(nr))
            cluster = stack.enter_context(open_cluster(nr, context.site))
            yield gate_context(context, render(context, (), store.facts()), nr, cluster, store.value)


def _sharers(gates: GateContext, components: Sequence[str], refs: Sequence[SecretRef]) -> tuple[Sharer, ...]:
    return sharers([part for part in gates.rendered if part.name in components], refs)


def _outcome(name: str, result: GateResult) -> Outcome:
    words = "; ".join(result.findings) or result.why
    return Outcome(CONTROLLER, f"secret/{name}/refusal", result.status, words, next=result.next_step)
