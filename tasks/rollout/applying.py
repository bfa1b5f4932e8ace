"""A planned change carried out on the cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from model.errors import ApiUnreachable, FleetError, KubernetesError, ObjectMissing, WaitExpired
from model.kubernetes.manifests import Manifest, difference
from model.rollout.changes import ChangeKind, ObjectChange
from model.rollout.conflicts import conflicts_of
from model.rollout.webhooks import REFUSAL, SilentWebhook, is_custom, silent_webhook
from remote.strict_apply import apply_strictly
from tasks.rollout.live import WORKERS
from tasks.rollout.planning import settled

if TYPE_CHECKING:
    from remote.kube import Cluster

Done = Callable[[ObjectChange], None]
Refused = Callable[[ObjectChange, KubernetesError], None]
_PAUSE = 1.0
_CONFLICT = 409
# What passes by itself, as a webhook does whose pod has just started.
_PASSING = ("no endpoints available", "is being terminated")


class Applier:
    """
    Carries out changes; `tell` hears what it waits for, `check` raises where nothing more may be written.

    `deadline` is in `time.monotonic()`: until then what passes by itself is tried again.
    """

    def __init__(
        self, cluster: Cluster, deadline: float, tell: Callable[[str], None], check: Callable[[], None]
    ) -> None:
        self._cluster, self._deadline, self._tell, self._check = cluster, deadline, tell, check
        self._told: set[str] = set()

    def apply(self, changes: Sequence[ObjectChange], done: Done, refused: Refused) -> bool:
        """
        Carry out changes that need nothing of each other, side by side; return whether all were.

        `done` hears of each that was, `refused` of each that the server did not take, both in any thread. Raises the
        first other error once the objects that are under way have ended. Before the first custom resource of a kind is
        written, the webhooks that must admit it have answered a dry run of it.
        """
        # In the place of what is replaced there is another one, which they have admitted.
        custom = [change for change in changes if is_custom(change.key) and change.change is not ChangeKind.REPLACED]
        first = {(change.key.group, change.key.kind): change for change in reversed(custom)}
        for change in first.values():
            if not self._admitted(change, refused):
                return False
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="api") as pool:
            results = tuple(pool.map(partial(self._result, done, refused), changes))
        for result in results:
            if isinstance(result, FleetError):
                raise result
        return all(results)

    def _admitted(self, change: ObjectChange, refused: Refused) -> bool:
        """Wait until webhooks answer for an object; `refused` hears where they do not in time, or answer no."""
        try:
            self._patiently(change, dry_run=True)
        except ApiUnreachable:
            raise
        except KubernetesError as error:
            # A conflict is settled when the object is written: nobody but the API server has found it.
            if error.status != _CONFLICT or not conflicts_of(error.causes):
                refused(change, error)
                return False
        return True

    def _result(self, done: Done, refused: Refused, change: ObjectChange) -> bool | FleetError:
        try:
            carried_out = self._carried_out(change)
        except ApiUnreachable as error:
            return error
        except KubernetesError as error:
            refused(change, error)
            return False
        except FleetError as error:
            return error
        done(carried_out)
        return True

    def _carried_out(self, change: ObjectChange) -> ObjectChange:
        self._check()
        path = self._cluster.path(change.manifest)
        if change.change is ChangeKind.REPLACED:
            self._remove(path, change)
            before: Manifest | None = None
        else:
            before = self._cluster.find(path)
        try:
            after = self._patiently(change)
        except KubernetesError as error:
            conflicts = conflicts_of(error.causes) if error.status == _CONFLICT else ()
            if not conflicts or change.force:
                raise
            change = settled(change, conflicts)
            after = self._patiently(change)
        if change.change is ChangeKind.REPLACED:
            return change
        return replace(
            change,
            lines=difference(before, after),
            change=ChangeKind.CREATED if before is None else ChangeKind.CHANGED,
            notes=tuple(note for note in change.notes if "planned from" not in note),
        )

    def _remove(self, path: str, change: ObjectChange) -> None:
        # Pods of a StatefulSet go on while it is made anew, and are taken over.
        self._cluster.delete(path, orphan=change.key.kind == "StatefulSet")
        left = max(5.0, self._deadline - time.monotonic())
        self._cluster.wait(path, lambda seen: not seen, f"{change.key} to be gone", left)

    def _patiently(self, change: ObjectChange, *, dry_run: bool = False) -> Manifest:
        started = time.monotonic()
        while True:
            self._check()
            try:
                return apply_strictly(self._cluster, change.manifest, force=change.force, dry_run=dry_run)
            except KubernetesError as error:
                webhook = silent_webhook(error)
                if not webhook and not _passes(error):
                    raise
                if time.monotonic() + _PAUSE > self._deadline:
                    raise (_expired(webhook, error, time.monotonic() - started) if webhook else error) from None
                words = f"waiting for {webhook} to answer; last: {webhook.answer}" if webhook else error.detail
                self._mention(f"{change.key}: {words}")
            threading.Event().wait(_PAUSE)

    def _mention(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._tell(line)


def _passes(error: KubernetesError) -> bool:
    """Tell whether a refusal passes by itself; one by a webhook is an answer, whatever it says."""
    passing = isinstance(error, ObjectMissing) or any(word in error.detail for word in _PASSING)
    return passing and REFUSAL not in error.detail


def _expired(webhook: SilentWebhook, error: KubernetesError, seconds: float) -> WaitExpired:
    words = f"{webhook} has not answered for {seconds:.0f} s; last: {webhook.answer}"
    return WaitExpired(error.host, error.asked, words, webhook.next_step, status=error.status, reason=error.reason)
