"""What a rollout does to one object, or would do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from model.errors import KubernetesError
from model.kubernetes.manifests import Manifest
from model.rollout.keys import ObjectKey


class ChangeKind(StrEnum):
    """
    The kinds of change.

    `kept`: rendered no longer, and not deleted unless named. `foreign` (somebody else's) and `refused` (cannot be
    changed in place) stop a rollout before its first write; `rejected` by the server, its component.
    """

    UNCHANGED = "unchanged"
    CREATED = "created"
    CHANGED = "changed"
    REPLACED = "replaced"
    PRUNED = "pruned"
    KEPT = "kept"
    FOREIGN = "foreign"
    REFUSED = "refused"
    REJECTED = "rejected"


APPLIES = frozenset({ChangeKind.CREATED, ChangeKind.CHANGED, ChangeKind.REPLACED})
WRITES = APPLIES | {ChangeKind.PRUNED}
_IMMUTABLE = re.compile(
    r"immutable|may not change|updates to .* (?:are|is) (?:forbidden|not allowed)|cannot change roleRef|"
    r"can not be less than status.capacity",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """
    One object's part of a plan. `manifest` is what is sent, with secrets in it: it never leaves this process.

    `force`: fields of ours that others took are taken back. `lines` are the diff, `notes` what a person should know,
    `digest` the keyed hash of what is declared.
    """

    component: str
    key: ObjectKey
    manifest: Manifest
    change: ChangeKind
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    force: bool = False
    next_step: str = ""
    digest: str = ""

    @property
    def subject(self) -> str:
        """What a report calls it."""
        return self.key.subject(self.component)


def immutable_fields(error: KubernetesError) -> tuple[str, ...]:
    """Return the fields that a refusal says cannot be changed in place; empty where it says something else."""
    if error.status not in (422, 403, 400):
        return ()
    fields = [cause.field for cause in error.causes if _IMMUTABLE.search(cause.message)]
    if fields:
        return tuple(dict.fromkeys(fields))
    return ("its fields",) if _IMMUTABLE.search(error.detail) else ()
