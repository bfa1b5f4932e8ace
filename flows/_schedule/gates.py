"""The gates as the scheduled identity can try them: it finds faults where it may look, and proves nothing."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flows._compliance.kept import prune
from flows._compliance.sources import latest_gates
from flows._fleet.hosts import closing
from flows._fleet.inventory import inventory
from flows._rollout.gates import gate_context
from flows._rollout.material import Material
from flows._rollout.results import GateRun
from flows._rollout.validate import ValidateRequest, chosen, tried, validated
from flows._run.context import Context, FlowResult
from flows._schedule.identity import assume, setting_of
from model.errors import OutOfSight
from model.report.gate_record import SCHEDULED, is_scheduled_run
from model.report.outcome import Status
from model.rollout.gates import GatePlace
from remote.gates.gate import GateResult

if TYPE_CHECKING:
    from nornir.core import Nornir

_NOTHING_YET = "no rollout tried this gate yet, as far as the reports here tell: nothing to look after"
_ROLLOUT = "python -m flows.rollout"


def validate_scheduled(context: Context, request: ValidateRequest) -> FlowResult:
    """
    Try gates with the identity's key, without the store of secrets and without the cluster's API.

    What it cannot see is `not_run`, never `unproven`: compliance goes on judging by who saw it last, until that is too
    old. Before the first rollout nothing is tried, since what is not there yet is no fault.
    """
    wanted, folder = chosen(context.site, request.gates), context.options.inventory
    if latest_gates(folder):
        nr = inventory(folder)
        assume(nr, setting_of(context.site, folder, Path(sys.executable)))
        with closing(nr):
            runs = tuple(_unproven_left(run) for run in _tried(context, wanted, nr))
    else:
        waiting = GateResult(status=Status.NOT_RUN, why=_NOTHING_YET, next_step=_ROLLOUT)
        runs = tuple(GateRun(name=place.gate, component=place.component, result=waiting) for place in wanted)
    # Those of persons stay: they hold the proofs.
    prune(folder, context.site.settings.compliance.keep_runs, "validate", only=is_scheduled_run)
    return validated(runs, **{SCHEDULED: True})


def _tried(context: Context, wanted: tuple[GatePlace, ...], nr: Nornir) -> tuple[GateRun, ...]:
    from remote.kube import open_cluster

    with ExitStack() as stack:
        cluster = stack.enter_context(open_cluster(nr, context.site))
        # Nothing is rendered: that would want the bundle and the store, which this account does not read.
        nothing = Material(rendered={}, bundle=None, folder=None)
        return tried(context, wanted, gate_context(context, nothing, nr, cluster, _closed))


def _closed(name: str, _key: str) -> bytes:
    raise OutOfSight(
        f"the scheduled account may not read the secret {name}",
        "run flows.validate as somebody who may, not --scheduled",
    )


def _unproven_left(run: GateRun) -> GateRun:
    """Return a gate in which nothing wrong was seen, and not everything looked at, as one that was not tried."""
    if run.result.status is not Status.UNPROVEN:
        return run
    return replace(run, result=replace(run.result, status=Status.NOT_RUN, why=f"not in full: {run.result.why}"))
