"""Images on the nodes that may run their pods, seen to be there before anything is written into the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from flows._render.words import counted
from flows._rollout.run import RolloutRun
from flows._run.publish import CONTROLLER
from model.errors import HostError, Unreachable
from model.report.outcome import Outcome, Status
from model.rollout.changes import WRITES
from model.rollout.staging import ImageNeed, by_host, image_needs
from tasks import application_images

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_LOOK_SECONDS = 60.0
_STAGE_SECONDS = 900.0
_STEP = "bring it: `python -m flows.bundle download`, or give its registry; then run again"


class ImageStaging:
    """Images of components that will be written; `outcomes` is one a host, `lacking` the images that did not come."""

    def __init__(self, run: RolloutRun) -> None:
        self._run = run
        self.outcomes: list[Outcome] = []
        self.lacking: dict[str, set[str]] = {}
        written = {name for name, result in run.results.items() if any(c.change in WRITES for c in result.planned)}
        needs = image_needs(run.context.site, run.material.rendered.values())
        self._needs = [need for need in needs if need.component in written]

    def stage(self) -> None:
        """Look at every node, bring what it lacks; components whose images do not come have failed."""
        wanted = by_host(self._needs)
        if not wanted:
            return
        missing = self._look(wanted)
        if self._run.dry_run:
            self.outcomes += [_would(name, lacking) for name, lacking in missing.items() if lacking]
            return
        self._bring({name: lacking for name, lacking in missing.items() if lacking})
        for need in self._needs:
            if need.reference in self.lacking:
                self._fail(need)

    def _look(self, wanted: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        def look(host: Host) -> tuple[str, ...]:
            return application_images.missing(host, wanted[host.name])

        with self._run.context.awaiting(list(wanted), "looking for images") as watch:
            answers = run_on_hosts(self._run.nr, look, names=list(wanted), deadline=_LOOK_SECONDS, watch=watch)
        found: dict[str, tuple[str, ...]] = {}
        for name, answer in answers.items():
            if isinstance(answer, HostFailure):
                self.outcomes.append(answer.outcome("images"))
            else:
                found[name] = answer
        return found

    def _bring(self, wanted: Mapping[str, tuple[str, ...]]) -> None:
        if not wanted:
            return
        material = self._run.material

        def bring(host: Host) -> tuple[str, ...]:
            return application_images.stage(host, material.bundle, material.folder, wanted[host.name])

        with self._run.context.awaiting(list(wanted), "bringing images") as watch:
            answers = run_on_hosts(self._run.nr, bring, names=list(wanted), deadline=_STAGE_SECONDS, watch=watch)
        failed = {name: answer for name, answer in answers.items() if isinstance(answer, HostFailure)}
        for name, answer in answers.items():
            if not isinstance(answer, HostFailure) and answer:
                words = f"{counted(len(answer), 'image')} brought"
                lines = [f"+ {line}" for line in answer]
                self.outcomes.append(Outcome(name, "images", Status.CHANGED, words, evidence=lines))
        for name, failure in failed.items():
            self._failed(name, failure, wanted[name])

    def _failed(self, name: str, failure: HostFailure, wanted: tuple[str, ...]) -> None:
        """A node that does not answer runs no pods; one that does, and has not the image, stops its component."""
        self.outcomes.append(failure.outcome("images"))
        if isinstance(failure.exception, Unreachable):
            return
        try:
            left = application_images.missing(self._run.nr.inventory.hosts[name], wanted)
        except HostError:
            left = wanted
        for reference in left:
            self.lacking.setdefault(reference, set()).add(name)

    def _fail(self, need: ImageNeed) -> None:
        result = self._run.results[need.component]
        hosts = ", ".join(sorted(self.lacking[need.reference]))
        words = f"the image {need.reference} did not come to {hosts}"
        result.status, result.why = Status.FAILED, words
        result.failures.append(Outcome(CONTROLLER, need.component, Status.FAILED, words, next=_STEP))


def _would(name: str, lacking: tuple[str, ...]) -> Outcome:
    words = f"{counted(len(lacking), 'image')} would be brought"
    return Outcome(
        name, "images", Status.DRIFT, words, next="run without --dry-run", evidence=[f"+ {word}" for word in lacking]
    )
