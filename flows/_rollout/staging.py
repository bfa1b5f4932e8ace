"""Images on the nodes that may run their pods, seen to be there before anything is written into the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from flows._render.words import counted
from flows._rollout.lacking import LackingImage, fail
from flows._rollout.run import RolloutRun
from model.errors import HostError, Unreachable
from model.report.outcome import Outcome, Status
from model.rollout.changes import WRITES
from model.rollout.image_places import image_places
from model.rollout.preview import bundle_step
from model.rollout.staging import by_host, image_needs
from tasks import application_images
from tasks.application_images import ImagesLacking

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_LOOK_SECONDS = 60.0
_STAGE_SECONDS = 900.0


class ImageStaging:
    """
    Images of components that will be written.

    `outcomes` is one a host; `lacking` are the images that did not come, with the reason of each host.
    """

    def __init__(self, run: RolloutRun) -> None:
        self._run = run
        self.outcomes: list[Outcome] = []
        self.lacking: dict[str, dict[str, str]] = {}
        self._steps: dict[str, str] = {}
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
        self._fail()

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
            if brought := _brought(answer):
                words = f"{counted(len(brought), 'image')} brought"
                lines = [f"+ {line}" for line in brought]
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
        reasons = failure.exception.reasons if isinstance(failure.exception, ImagesLacking) else {}
        for reference in left:
            self._steps[reference] = failure.next
            self.lacking.setdefault(reference, {})[name] = reasons.get(reference, failure.message)

    def _fail(self) -> None:
        """Fail each component that needs an image which did not come."""
        everywhere = image_places(self._run.material.rendered.values())
        places = [place for place in everywhere if place.reference in self.lacking]
        without = dict.fromkeys(need.component for need in self._needs if need.reference in self.lacking)
        for name in without:
            mine = ((place, self._told(place.reference)) for place in places if place.component == name)
            fail(self._run.results[name], mine)

    def _told(self, reference: str) -> LackingImage:
        material = self._run.material
        brought = {f"{item.reference}@{item.digest}" for item in material.bundle.images} if material.bundle else set()
        known, step = reference in brought, self._steps[reference]
        looked_for = [f"the bundle {material.folder}: {'in it' if known else 'not in it'}"] if material.bundle else []
        step = step if known else f"{step}; or have the bundle bring it: {bundle_step(self._run.context.site)}"
        hosts: dict[str, list[str]] = {}
        for host, reason in sorted(self.lacking[reference].items()):
            hosts.setdefault(reason, []).append(host)
        looked_for += [f"{', '.join(names)}: {reason}" for reason, names in hosts.items()]
        return LackingImage(looked_for=tuple(looked_for), next_step=step)


def _brought(answer: tuple[str, ...] | HostFailure) -> tuple[str, ...]:
    """Return a line for each image that came to a host, also to one that lacks others."""
    if not isinstance(answer, HostFailure):
        return answer
    return answer.exception.brought if isinstance(answer.exception, ImagesLacking) else ()


def _would(name: str, lacking: tuple[str, ...]) -> Outcome:
    words = f"{counted(len(lacking), 'image')} would be brought"
    return Outcome(
        name, "images", Status.DRIFT, words, next="run without --dry-run", evidence=[f"+ {word}" for word in lacking]
    )
