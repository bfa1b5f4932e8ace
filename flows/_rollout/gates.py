"""Gates by name: the program that tries a component as its user would."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING

from flows._rollout.material import Material
from flows._rollout.results import GateRun
from flows._run.context import Context
from model.checkout import ROOT
from model.errors import FleetError, OutOfSight, SecretsUnreadable
from model.report.outcome import Status
from model.report.waivers import waive_outcomes
from model.rollout.inventory import GateProof
from model.rollout.rendered import SecretValue
from model.site.settings import Waiver
from remote.gates.gate import GateContext, GateResult

if TYPE_CHECKING:
    from nornir.core import Nornir

    from remote.kube import Cluster

Gate = Callable[[GateContext], GateResult]


def gate_of(name: str) -> Gate | None:
    """Return a gate's function, None where there is no program for it."""
    path = f"remote.gates.{name.replace('-', '_')}"
    if importlib.util.find_spec(path) is None:
        return None
    # What gates share stands beside them and is none.
    run: Gate | None = getattr(import_module(path), "run", None)
    return run


def gate_context(
    context: Context,
    material: Material,
    nr: Nornir,
    cluster: Cluster,
    secret: SecretValue,
    options: Mapping[str, float] = MappingProxyType({}),
) -> GateContext:
    """Return what gates work with; `options` are words a person gave."""
    return GateContext(
        site=context.site,
        nr=nr,
        cluster=cluster,
        rendered=tuple(material.rendered.values()),
        secret=secret,
        folder=context.options.inventory,
        say=context.say,
        options=options,
    )


def try_gate(name: str, component: str, context: GateContext) -> GateRun:
    """Run a gate; what it cannot do is its result, and never silence."""
    gate = gate_of(name)
    if gate is None:
        result = GateResult(status=Status.NOT_RUN, why="there is no program for this gate")
        return GateRun(name=name, component=component, result=result)
    started = monotonic()
    try:
        result = gate(context)
    except OutOfSight as error:
        result = GateResult(status=Status.NOT_RUN, why=str(error), next_step=error.next_step)
    except SecretsUnreadable as error:
        result = GateResult(status=Status.UNPROVEN, why=str(error), next_step=error.next_step)
    except FleetError as error:
        result = GateResult(status=Status.FAILED, why=str(error), next_step=error.next_step)
    except Exception as error:  # noqa: BLE001 - a gate's own fault is its result, and the others go on
        # Not what it says: a library's error may quote what it was given, and that may be a secret.
        words = f"unforeseen: {type(error).__name__} at {place_of(error)}"
        result = GateResult(status=Status.FAILED, why=words, next_step="report this as a bug, with this place")
    return GateRun(name=name, component=component, result=result, seconds=monotonic() - started)


def answered_for(run: GateRun, waivers: Sequence[Waiver]) -> str:
    """
    Return in words that a gate saw nothing, and who answers for that until when: the rest may go on. Empty else.

    Nobody answers for what a gate found wrong in this way: a waiver changes what such a run comes to, and no more.
    """
    if run.result.status is not Status.UNPROVEN:
        return ""
    (judged,) = waive_outcomes([run.outcome()], waivers, datetime.now(UTC).date())
    return f"the gate {run.name}: {judged.message}" if judged.status is Status.WAIVED else ""


def proven_before(name: str, component: str, kept: GateProof) -> GateRun:
    """Return a gate that was not tried, since what an earlier run saw still holds."""
    result = GateResult(status=Status.NOT_RUN, why=f"proven at {kept.at}")
    return GateRun(name=name, component=component, result=result, proven=True)


def place_of(error: BaseException) -> str:
    """Return where an error came up: file and line of this project's innermost code, as far as it was there at all."""
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    ours = [(path.relative_to(ROOT), line) for path, line in frames if path.is_relative_to(ROOT)]
    here = [(path, line) for path, line in ours if ".venv" not in path.parts]
    return f"{here[-1][0]} line {here[-1][1]}" if here else "an unknown place"


def gate_line(gate: GateRun) -> str:
    """Return a gate as one line for a person."""
    result = gate.result
    figures = ", ".join(f"{name} {value:g}" for name, value in result.figures.items())
    words = "; ".join(filter(None, (result.why, figures)))
    return f"gate {gate.name}: {result.status.value.replace('_', ' ')}: {words} ({gate.seconds:.1f} s)"
