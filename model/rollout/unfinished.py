"""What is said of a rotation that has not ended: the step that was done last, since when, and who finishes it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from model.rollout.rendered import SecretRef
from model.rollout.rotation_steps import REACHES, SecretUsers, steps_of
from model.rollout.secret_document import RotationStage, ref_text
from model.site.secrets import SecretSpec


def unfinished(spec: SecretSpec | None, ref: SecretRef, stage: RotationStage, since: datetime) -> str:
    """Return how far the rotation of a value has come; `spec` is None where the site has no such secret any longer."""
    return f"its rotation has not ended: {_last_step(spec, ref, stage)}, on {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def finishing(refs: Iterable[SecretRef]) -> str:
    """Return the command that finishes the rotations of these values."""
    return f"python -m flows.secrets rotate {' '.join(ref_text(ref) for ref in refs)}"


def brought_back(ref: SecretRef) -> str:
    """Return what finishes the rotation of a value that the site needs no longer."""
    place = "declare it again in secrets.yaml, or turn on in site.yaml the feature that needs it"
    return f"{place}; then {finishing([ref])}"


def _last_step(spec: SecretSpec | None, ref: SecretRef, stage: RotationStage) -> str:
    if spec is not None and ref.key in spec.keys:
        users = SecretUsers(name=ref_text(ref), components=spec.consumers)
        for number, step in enumerate(steps_of(spec.rotation_of(ref.key).procedure, users), 1):
            if REACHES.get(step.act) is stage:
                return f"step {number} was done last ({step.words})"
    return f"its new value is {stage}"
