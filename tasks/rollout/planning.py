"""What applying a manifest would do, by the server's own dry run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from model.errors import KubernetesError, ObjectMissing
from model.kubernetes.manifests import FIELD_MANAGER, Manifest, difference
from model.rollout.changes import ChangeKind, ObjectChange, immutable_fields
from model.rollout.conflicts import FieldConflict, conflicts_of, without
from model.rollout.contained import contains
from model.rollout.foreign import foreign_fields
from model.rollout.inventory import ComponentInventory, is_kept, may_be_replaced
from model.rollout.keys import key_of
from model.rollout.webhooks import silent_webhook
from remote.strict_apply import apply_strictly
from tasks.rollout.live import WORKERS, LiveObjects

if TYPE_CHECKING:
    from remote.kube import Cluster

_CONFLICT = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRules:
    """
    What a person allowed: `adopt` objects that are not ours, `recreate` these (component, `Kind/namespace/name`, or
    `Kind/name`; a component's name means none of its data).

    `kinds` are those that a component will bring, by group and kind: the component, and whether it is in this run.
    """

    adopt: bool = False
    recreate: frozenset[str] = field(default_factory=frozenset)
    kinds: Mapping[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredObject:
    """An object as it is sent, and the keyed hash of it."""

    manifest: Manifest
    digest: str


class Planner:
    """Plans the objects of one component."""

    def __init__(self, cluster: Cluster, live: LiveObjects, kept: ComponentInventory, rules: PlanRules) -> None:
        self._cluster, self._live, self._kept, self._rules = cluster, live, kept, rules

    def plan(self, declared: Sequence[DeclaredObject]) -> tuple[ObjectChange, ...]:
        """Return one change an object, in their order. Raises `KubernetesError` where the API is not there."""
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="api") as pool:
            return tuple(pool.map(self.plan_object, declared))

    def plan_object(self, declared: DeclaredObject) -> ObjectChange:
        """Return what applying one object would do."""
        change = ObjectChange(
            component=self._kept.component,
            key=key_of(declared.manifest),
            manifest=declared.manifest,
            change=ChangeKind.UNCHANGED,
            digest=declared.digest,
        )
        try:
            before = self._live.find(declared.manifest)
        except ObjectMissing:
            return self._of_unknown_kind(change)
        entry = self._kept.entries.get(change.key)
        if before:
            beside = foreign_fields(before, declared.manifest)
            change = replace(change, notes=tuple(f"{words}: not ours, left as it is" for words in beside))
        if before and entry and entry.digest == declared.digest and contains(before, declared.manifest):
            return change
        if before and not entry and not owned(before) and not self._rules.adopt:
            return replace(
                change,
                change=ChangeKind.FOREIGN,
                notes=(f"it exists, and {_owners(before)}",),
                next_step="`--adopt` takes it over, or delete it",
            )
        return self._tried(change, before)

    def _of_unknown_kind(self, change: ObjectChange) -> ObjectChange:
        bringer, comes = self._rules.kinds.get((change.key.group, change.key.kind), ("", False))
        if comes:
            return _unseen(change, "its kind is not in the cluster yet: planned from what is rendered")
        words = f"the cluster knows no kind {change.key.kind} of {change.manifest['apiVersion']}"
        words += f"; {bringer} brings it" if bringer else ", and no component brings it"
        step = f"roll out {bringer} first, or with it" if bringer else "which operator defines it? bring its definition"
        return replace(change, change=ChangeKind.REJECTED, notes=(words,), next_step=step)

    def _tried(self, change: ObjectChange, before: Manifest | None) -> ObjectChange:
        try:
            after = apply_strictly(self._cluster, change.manifest, force=change.force, dry_run=True)
        except ObjectMissing:
            return _unseen(change, "its namespace is not there yet: planned from what is rendered")
        except KubernetesError as error:
            return self._refused(change, before, error)
        lines = difference(before, after)
        kind = ChangeKind.CREATED if before is None else ChangeKind.CHANGED if lines else ChangeKind.UNCHANGED
        return replace(change, change=kind, lines=lines)

    def _refused(self, change: ObjectChange, before: Manifest | None, error: KubernetesError) -> ObjectChange:
        found = conflicts_of(error.causes) if error.status == _CONFLICT else ()
        if found and not change.force:
            return self._tried(settled(change, found), before)
        fields = immutable_fields(error)
        if before and fields:
            return self._replaced(change, before, fields)
        if silent_webhook(error):
            return _unseen(change, "the webhook that must admit it does not answer yet: planned from what is rendered")
        step = error.next_step or "correct it in the component's templates"
        return replace(change, change=ChangeKind.REJECTED, notes=(error.detail,), next_step=step)

    def _replaced(self, change: ObjectChange, before: Manifest, fields: tuple[str, ...]) -> ObjectChange:
        key, component, named = change.key, change.component, self._rules.recreate
        lines = difference(_like(before, change.manifest), change.manifest)
        words = f"{', '.join(fields)} cannot be changed in place"
        if may_be_replaced(key, component, named):
            return replace(change, change=ChangeKind.REPLACED, lines=lines, notes=(f"{words}: deleted and made anew",))
        if component in named and is_kept(key):
            words += f", and `--recreate {component}` does not mean what holds data or is their ground"
        step = f"`--recreate {key.word}` deletes it and makes it anew; see what it holds first"
        return replace(change, change=ChangeKind.REFUSED, lines=lines, notes=(words,), next_step=step)


def settled(change: ObjectChange, conflicts: Sequence[FieldConflict]) -> ObjectChange:
    """Return a change that leaves controllers what they hold, and takes back what others took of ours."""
    theirs = [conflict for conflict in conflicts if conflict.by_controller]
    ours = [conflict for conflict in conflicts if not conflict.by_controller]
    notes = [f"{conflict.field} is held by {conflict.manager}: left as it is" for conflict in theirs]
    notes += [f"{conflict.field} was set by {conflict.manager}: ours, set back" for conflict in ours]
    manifest = without(change.manifest, [conflict.field for conflict in theirs])
    return replace(change, manifest=manifest, force=bool(ours), notes=(*change.notes, *notes))


def owned(live: Manifest) -> bool:
    """Tell whether the rollout applied the object at any time."""
    fields = live["metadata"].get("managedFields") or ()
    return any(entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply" for entry in fields)


def _owners(live: Manifest) -> str:
    managers = {entry["manager"] for entry in live["metadata"].get("managedFields") or () if entry.get("manager")}
    return f"belongs to {', '.join(sorted(managers))}" if managers else "nobody says whose it is"


def _unseen(change: ObjectChange, note: str) -> ObjectChange:
    return replace(
        change, change=ChangeKind.CREATED, lines=difference(None, change.manifest), notes=(*change.notes, note)
    )


def _like(live: Any, wanted: Any) -> Any:
    """Return of a live value what `wanted` speaks of, so that both can be compared."""
    if isinstance(live, dict) and isinstance(wanted, dict):
        return {key: _like(live[key], value) for key, value in wanted.items() if key in live}
    if isinstance(live, list) and isinstance(wanted, list) and len(live) == len(wanted):
        return [_like(one, other) for one, other in zip(live, wanted, strict=True)]
    return live
