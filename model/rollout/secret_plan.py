"""What is due for the site's secrets: made, brought, told apart, rotated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby

from model.rollout.rendered import SecretRef
from model.rollout.secret_document import SecretDocument
from model.rollout.secret_kinds import flaw
from model.rollout.unfinished import unfinished
from model.site.secrets import SecretSpec
from model.site.site import Site


class Due(StrEnum):
    """What a person, or `generate`, has to do about a secret."""

    NOTHING = "nothing"
    GENERATE = "generate"
    BRING = "bring"
    FINISH = "finish"
    ROTATE = "rotate"
    SEPARATE = "separate"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretState:
    """
    How a secret stands: since when it is used, until when it may be, each thing that is wrong, the values that a person
    must bring, and those whose rotation has not ended.
    """

    name: str
    made: datetime | None
    rotate_before: datetime | None
    due: Due
    complaints: tuple[str, ...] = ()
    bring: tuple[SecretRef, ...] = ()
    rotating: tuple[SecretRef, ...] = ()


def deadline(spec: SecretSpec, made: datetime) -> datetime | None:
    """Return when a secret must have been rotated; None where it may stay."""
    return made + timedelta(days=spec.max_age_days) if spec.max_age_days else None


def state_of(
    spec: SecretSpec, document: SecretDocument, alike: Iterable[frozenset[SecretRef]], now: datetime
) -> SecretState:
    """Judge a secret by what the store holds; `alike` are values that are the same and must not be."""
    kept = {key: document.secrets.get(SecretRef(spec.name, key)) for key, _ in spec.kept()}
    there = [secret.current for secret in kept.values() if secret]
    made = min((value.made for value in there), default=None)
    before = deadline(spec, made) if made else None
    by_key = {key: list(_complaints(spec, key, document, alike)) for key in kept}
    complaints = [complaint for mine in by_key.values() for complaint in mine]
    bring = tuple(SecretRef(spec.name, key) for key, mine in by_key.items() if any(due is Due.BRING for due, _ in mine))
    if before is not None and before < now:
        age = (now - made).days if made else 0
        complaints.append((Due.ROTATE, f"is used for {age} days, and must not be for more than {spec.max_age_days}"))
    worst = next((due for due in _FIRST if due in {due for due, _ in complaints}), Due.NOTHING)
    texts = tuple(text for _, text in complaints)
    rotating = tuple(SecretRef(spec.name, key) for key, secret in kept.items() if secret and secret.stage)
    return SecretState(
        name=spec.name, made=made, rotate_before=before, due=worst, complaints=texts, bring=bring, rotating=rotating
    )


def _complaints(
    spec: SecretSpec, key: str, document: SecretDocument, alike: Iterable[frozenset[SecretRef]]
) -> Iterable[tuple[Due, str]]:
    ref, key_spec = SecretRef(spec.name, key), spec.keys[key]
    kept = document.secrets.get(ref)
    if kept is None:
        due = Due.GENERATE if key_spec.is_generated else Due.BRING
        yield due, f"{key} is not there"
    elif wrong := flaw(key_spec, kept.current.value.get_secret_value()):
        yield (Due.ROTATE if key_spec.is_generated else Due.BRING), f"{key} {wrong}"
    if kept is not None and kept.stage and kept.stage_since:
        yield Due.FINISH, f"{key}: {unfinished(spec, ref, kept.stage, kept.stage_since)}"
    for group in alike:
        if ref in group:
            others = ", ".join(f"{other.name}/{other.key}" for other in sorted(group - {ref}))
            yield Due.SEPARATE, f"{key} has the same value as {others}"


_FIRST = (Due.BRING, Due.GENERATE, Due.FINISH, Due.SEPARATE, Due.ROTATE)


def flaws_of(site: Site, document: SecretDocument) -> dict[SecretRef, str]:
    """Return why values of a document are none of their kind, empty where they are."""
    specs = {SecretRef(spec.name, key): key_spec for spec in site.secrets for key, key_spec in spec.kept()}
    return {
        ref: flaw(specs[ref], kept.current.value.get_secret_value())
        for ref, kept in document.secrets.items()
        if ref in specs
    }


def same_values(documents: Iterable[SecretDocument]) -> tuple[frozenset[SecretRef], ...]:
    """Return the groups of secrets with one value, over all realms that could be read."""
    values = [
        (kept.current.value.get_secret_value().strip(), ref)
        for document in documents
        for ref, kept in document.secrets.items()
    ]
    return _groups(values)


def same_fingerprints(fingerprints: Mapping[SecretRef, str]) -> tuple[frozenset[SecretRef], ...]:
    """Return the groups of secrets with one value, by what an index tells of one realm."""
    return _groups([(mark.encode(), ref) for ref, mark in fingerprints.items()])


def _groups(values: list[tuple[bytes, SecretRef]]) -> tuple[frozenset[SecretRef], ...]:
    first: Callable[[tuple[bytes, SecretRef]], bytes] = lambda item: item[0]  # noqa: E731 - one key for both calls
    found = (frozenset(ref for _, ref in group) for _, group in groupby(sorted(values, key=first), first))
    return tuple(group for group in found if len(group) > 1)
