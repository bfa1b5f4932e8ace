"""The application written out for a person to read: all that can be rendered, and what is missing to apply it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from flows._render.words import counted
from flows._rollout.material import site_bundle, sound, why_left_out, write
from flows._run.context import Context, FlowResult
from flows._run.publish import CONTROLLER
from model.bundle.bundle import Bundle
from model.errors import BundleError, FleetError, SiteError
from model.report.outcome import GOOD, REFUSED, Outcome, Status
from model.rollout.image_references import UNKNOWN_DIGEST
from model.rollout.preview import Preview, bundle_step, preview
from model.rollout.render import Upstream, no_upstream, upstream_of
from model.rollout.secret_facts import NO_FACTS, SecretFacts
from model.site.components import Component
from model.site.site import Site
from tasks.secrets.store import open_store


def render_to(context: Context, components: Sequence[Component], folder: Path) -> FlowResult:
    """
    Write every object and file of components into a folder, secrets as names.

    Images without a digest are marked, publishers' objects that nobody brings are left out, and both are drift: a
    rollout would refuse them. What cannot be rendered at all is named, and the rest is written.
    """
    shown: list[Preview] = []
    broken: list[Outcome] = []
    lacking: Outcome | None = None
    bundle: Bundle | None = None
    upstream: Upstream = no_upstream
    try:
        place, bundle = site_bundle(context.site, context.options.inventory)
        upstream = upstream_of(bundle, place) if bundle and place else no_upstream
    except BundleError as error:
        lacking = Outcome(CONTROLLER, "render/bundle", Status.DRIFT, str(error), next=bundle_step(context.site))
    facts = _facts(context)
    for component in components:
        try:
            part = preview(context.site, component, bundle, upstream, facts)
            sound(part.rendered, is_whole=not part.absent)
            shown.append(part)
        except SiteError as error:
            broken.append(_broken(component, error))
    write(context.site, (part.rendered for part in shown), folder, context.say)
    done = f"{counted(len(shown), 'component')} written to {folder}; secrets stand there by name"
    outcomes = [Outcome(CONTROLLER, "render", Status.OK, done)] if shown else []
    outcomes += [*broken, *filter(None, (lacking,)), *_lacking(context.site, shown)]
    return FlowResult(tuple(outcomes), hosts=(), forced=REFUSED if broken else GOOD)


def _facts(context: Context) -> SecretFacts:
    """Return what the site's store means for rendering, nothing where whoever runs this cannot open it."""
    try:
        return open_store(context.site).facts()
    except FleetError as error:
        context.say(f"rendered as if no secret were or had been rotated: {error}")
        return NO_FACTS


def _lacking(site: Site, shown: Sequence[Preview]) -> Iterator[Outcome]:
    for part in (part for part in shown if part.undigested and part.rendered.component.optional):
        message = f"{why_left_out(site, part)}; written here all the same"
        yield Outcome(CONTROLLER, f"render/{part.name}", Status.NOT_RUN, message, next=bundle_step(site))
    needed = (part for part in shown if not part.rendered.component.optional)
    if names := sorted({name for part in needed for name in part.undigested}):
        words = ", ".join(f"{name} ({site.images[name].name}:{site.images[name].tag})" for name in names)
        message = f"no digest is known of {words}: they stand there as `@{UNKNOWN_DIGEST}`, and a rollout refuses them"
        yield Outcome(CONTROLLER, "render/digests", Status.DRIFT, message, next=bundle_step(site))
    if absent := [f"{part.absent} ({part.name})" for part in shown if part.absent]:
        message = f"nobody brings the publisher's manifest of {', '.join(absent)}: its objects are left out"
        yield Outcome(CONTROLLER, "render/manifests", Status.DRIFT, message, next=bundle_step(site))


def _broken(component: Component, error: SiteError) -> Outcome:
    step = error.next_step or "correct what is named, then render again"
    return Outcome(CONTROLLER, f"render/{component.name}", Status.FAILED, str(error), next=step)
