"""A rotation's stages in the store: each is one change of a realm's document, saved as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from model.rollout.rendered import SecretRef
from model.rollout.secret_document import KeptSecret, KeptValue, RotationStage, SecretDocument


def offered(document: SecretDocument, values: Mapping[SecretRef, KeptValue]) -> SecretDocument:
    """Let these values be accepted beside those in use."""
    return _each(document, values, lambda ref, kept: replace(kept, stage=RotationStage.OFFERED, coming=values[ref]))


def adopted(document: SecretDocument, refs: Iterable[SecretRef], now: datetime) -> SecretDocument:
    """Put into use what is offered; what was used so far is accepted still. Raises ValueError where nothing is."""

    def adopt(_: SecretRef, kept: KeptSecret) -> KeptSecret:
        if kept.coming is None:
            raise ValueError("nothing is offered")
        former = (kept.current, *kept.former)
        return KeptSecret(current=replace(kept.coming, made=now), former=former, stage=RotationStage.ADOPTED)

    return _each(document, refs, adopt)


def forgotten(document: SecretDocument, refs: Iterable[SecretRef], now: datetime) -> SecretDocument:
    """Let the former values be accepted no longer."""

    def forget(_: SecretRef, kept: KeptSecret) -> KeptSecret:
        return replace(kept, stage=RotationStage.REPLACED, former=(_retired(kept.former[0], now), *kept.former[1:]))

    return _each(document, refs, forget)


def replaced(document: SecretDocument, values: Mapping[SecretRef, KeptValue], now: datetime) -> SecretDocument:
    """Put values into use at once; those that they replace stay until the rotation has ended well."""

    def swap(ref: SecretRef, kept: KeptSecret) -> KeptSecret:
        former = (_retired(kept.current, now), *kept.former)
        return KeptSecret(current=replace(values[ref], made=now), former=former, stage=RotationStage.REPLACED)

    return _each(document, values, swap)


def ended(document: SecretDocument, refs: Iterable[SecretRef], keep: int) -> SecretDocument:
    """End rotations that are proven; of the values they replaced the newest `keep` stay."""
    return _each(document, refs, lambda _, kept: KeptSecret(current=kept.current, former=kept.former[:keep]))


def begun(before: SecretDocument | None, after: SecretDocument) -> str:
    """Return the name of the secret whose rotation begins with a change, empty where none does."""
    names = (ref.name for ref in _changed(before, after) if after.secrets[ref].stage and not _stage(before, ref))
    return next(names, "")


def goes_on(before: SecretDocument | None, after: SecretDocument) -> bool:
    """Return whether a change is a further one of rotations that had begun before it, and nothing else."""
    changed = _changed(before, after)
    return bool(changed) and all(_stage(before, ref) for ref in changed)


def _changed(before: SecretDocument | None, after: SecretDocument) -> list[SecretRef]:
    former = before.secrets if before else {}
    return [ref for ref, kept in after.secrets.items() if former.get(ref) != kept]


def _stage(document: SecretDocument | None, ref: SecretRef) -> RotationStage | None:
    kept = document.secrets.get(ref) if document else None
    return kept.stage if kept else None


def _each(
    document: SecretDocument, refs: Iterable[SecretRef], change: Callable[[SecretRef, KeptSecret], KeptSecret]
) -> SecretDocument:
    changed = {ref: change(ref, document.secrets[ref]) for ref in refs}
    return replace(document, secrets={**document.secrets, **changed})


def _retired(value: KeptValue, now: datetime) -> KeptValue:
    return replace(value, retired=now)
