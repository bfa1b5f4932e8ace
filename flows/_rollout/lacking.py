"""Images that are nowhere to be had, told object by object; what a bundle lacks ends a run before its first write."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flows._rollout.material import Material
from flows._rollout.results import ComponentResult, result_of
from flows._run.context import Context, FlowResult
from flows._run.publish import CONTROLLER
from model.report.outcome import Outcome, Status
from model.rollout.graph import active
from model.rollout.image_places import ImagePlace, image_places
from model.rollout.image_references import wanted_name
from model.rollout.preview import Preview, bundle_step
from model.rollout.selection import all_needed
from model.site.components import Component
from model.site.site import Site

_NOT_THERE = "not begun: the run ended before its first write, since images are missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class LackingImage:
    """An image that does not come: each place where it was looked for with what was found, and how it is brought."""

    looked_for: tuple[str, ...]
    next_step: str


def unbrought(site: Site, folder: Path | None, shown: Preview) -> Iterator[tuple[ImagePlace, LackingImage]]:
    """Yield each container whose image the bundle does not bring, and of which nothing says what to pull instead."""
    derived = {wanted_name(site, name) for name in shown.undigested if name in site.derivations}
    for place in image_places([shown.rendered]):
        if place.undigested:
            name = place.by_tag
            pulled = "it is derived, so none has it" if name in derived else "not asked, since no digest is known"
            looked_for = (f"the bundle {folder}: not in it", f"registries: {pulled}")
            yield replace(place, reference=name), LackingImage(looked_for=looked_for, next_step=bundle_step(site))


def fail(result: ComponentResult, lacking: Iterable[tuple[ImagePlace, LackingImage]]) -> None:
    """Note which images of a component are missing, container by container."""
    found = tuple(lacking)
    images = dict.fromkeys(place.reference for place, _ in found)
    result.failures += [_outcome(place, image) for place, image in found]
    result.status, result.why = Status.FAILED, f"missing: {', '.join(images)}"


def _outcome(place: ImagePlace, lacking: LackingImage) -> Outcome:
    key, looked_for = place.key, "; ".join(lacking.looked_for)
    evidence = {
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
        "container": place.container,
        "image": place.reference,
        "looked_for": list(lacking.looked_for),
    }
    words = f"container {place.container}: no image {place.reference}; looked for it in {looked_for}"
    return Outcome(CONTROLLER, place.subject, Status.FAILED, words, next=lacking.next_step, evidence=evidence)


def ended_for_images(context: Context, chosen: Sequence[Component], material: Material) -> FlowResult:
    """Return the result of a run that connected to nothing, since the bundle lacks images of some components."""
    results = {component.name: ComponentResult(component=component) for component in chosen}
    for name, shown in material.lacking.items():
        fail(results[name], unbrought(context.site, material.folder, shown))
    _not_begun(context.site, results, material.lacking)
    return result_of(context, results.values(), dry_run=False)


def _not_begun(site: Site, results: Mapping[str, ComponentResult], without: Collection[str]) -> None:
    """Mark components that were not begun since others are `without` images; who needs one of those says which."""
    for result in results.values():
        if result.status is not Status.FAILED:
            result.status, result.why = Status.NOT_RUN, _why(result.component, without, active(site))


def _why(component: Component, without: Collection[str], known: Collection[Component]) -> str:
    needed = all_needed(component, known)
    lacking = [name for name in without if name in needed]
    return f"not begun: needs {', '.join(lacking)}, whose images are missing" if lacking else _NOT_THERE
