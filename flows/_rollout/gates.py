"""Gates by name: the program that tries a component as its user would."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib import import_module
from time import monotonic

from flows._rollout.results import GateRun
from model.errors import FleetError
from model.report.outcome import Status
from remote.gates.gate import GateContext, GateResult

Gate = Callable[[GateContext], GateResult]


def gate_of(name: str) -> Gate | None:
    """Return a gate's function, None where there is no program for it."""
    path = f"remote.gates.{name.replace('-', '_')}"
    if importlib.util.find_spec(path) is None:
        return None
    # What gates share stands beside them and is none.
    run: Gate | None = getattr(import_module(path), "run", None)
    return run


def try_gate(name: str, component: str, context: GateContext) -> GateRun:
    """Run a gate; what it cannot do is its result, and never silence."""
    gate = gate_of(name)
    if gate is None:
        return not_run(name, component, "there is no program for this gate")
    started = monotonic()
    try:
        result = gate(context)
    except FleetError as error:
        result = GateResult(status=Status.FAILED, why=str(error), next_step=error.next_step)
    except Exception as error:  # noqa: BLE001 - a gate's own fault is its result, and the others go on
        words = f"unforeseen: {type(error).__name__}: {error}"
        result = GateResult(status=Status.FAILED, why=words, next_step="report this as a bug")
    return GateRun(name=name, component=component, result=result, seconds=monotonic() - started)


def not_run(name: str, component: str, why: str) -> GateRun:
    """Return a gate that was not tried, and why."""
    return GateRun(name=name, component=component, result=GateResult(status=Status.NOT_RUN, why=why))


def gate_line(gate: GateRun) -> str:
    """Return a gate as one line for a person."""
    result = gate.result
    figures = ", ".join(f"{name} {value:g}" for name, value in result.figures.items())
    words = "; ".join(filter(None, (result.why, figures)))
    return f"gate {gate.name}: {result.status.value.replace('_', ' ')}: {words} ({gate.seconds:.1f} s)"
