"""Rules of images and publishers' manifests: what a rollout needs is there, by digest."""

from __future__ import annotations

from collections.abc import Iterator

from model.bundle.bundle import Bundle, load_bundle
from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.lint.flaw import LintView, flaw
from model.errors import SiteError
from model.rollout.image_references import brought, pushed_reference
from model.rollout.own_objects import own_parts
from model.rollout.preview import Preview, bundle_step
from model.site.site import Site

_PUSH = "run `python -m flows.bundle push`, and write the `pushed` that it prints"


def bundle(view: LintView) -> Iterator[Finding]:
    """Find a bundle that is not whole, none where nodes are installed from one, and manifests that none brings."""
    if not view.renders:
        return
    site, path = view.site, "kubernetes.bundle"
    named = site.settings.kubernetes.bundle
    try:
        kept = _bundle(site)
    except SiteError as error:
        words = str(error).splitlines()[0]
        message = f"is no bundle that could be used: {words}"
        yield flaw("site.yaml", path, value=named, message=message, fix=bundle_step(site))
        return
    reasons = []
    if kept is None and site.settings.kubernetes.packages == "bundle":
        reasons.append("nodes are installed from a bundle (`kubernetes.packages`)")
    manifests = {manifest.name for manifest in kept.manifests} if kept else set()
    if absent := [part.absent for part in _parts(view) if part.absent and part.absent not in manifests]:
        reasons.append(f"the publishers' manifests of {', '.join(absent)} come in one")
    if reasons:
        message = f"{'this one lacks something' if kept else 'none is named'}, and {' and '.join(reasons)}"
        yield flaw("site.yaml", path, value=named or "", message=message, fix=bundle_step(site))


def digests(view: LintView) -> Iterator[Finding]:
    """Find images of which nothing says the digest: a rollout refuses them, or leaves an optional component out."""
    kept = _readable_bundle(view.site) if view.renders else None
    lacking: dict[str, list[str]] = {}
    for part in _parts(view):
        for name in part.undigested:
            if brought(view.site, kept, name) is None:
                lacking.setdefault(name, []).append(part.name)
    if lacking:
        optional = {part.name for part in _parts(view) if part.rendered.component.optional}
        spared = sorted(name for name, users in lacking.items() if optional.issuperset(users))
        more = f"; without {', '.join(spared)} a rollout goes on, and leaves out what needs it" if spared else ""
        message = f"have no digest, and no bundle brings them{more}"
        fix = f"write each publisher's `digest`, or bring them: {bundle_step(view.site)}"
        yield flaw("images.yaml", "images", value=", ".join(sorted(lacking)), message=message, fix=fix)


def pushed(view: LintView) -> Iterator[Finding]:
    """Find a `pushed` that is not the bundle's image of its tag, or names another registry than the one with `push`."""
    site, kept = view.site, _readable_bundle(view.site)
    ours = [registry.registry for registry in site.settings.kubernetes.registries if registry.push]
    for name, image in site.images.items():
        reference = image.derived.pushed if image.derived else None
        if not reference:
            continue
        item = brought(site, kept, name) if pushed_reference(site, name) else None
        registry, digest = reference.partition("/")[0], reference.rpartition("@")[2]
        reasons = []
        if item is not None and item.digest != digest:
            reasons.append(f"the bundle's {item.version} is {item.digest}, and a rollout goes on with this one")
        if ours and registry not in ours:
            reasons.append(f"the registry that has `push` is {ours[0]}")
        if reasons:
            yield flaw(
                "images.yaml", f"images.{name}.derived.pushed", value=reference, message="; ".join(reasons), fix=_PUSH
            )


def _parts(view: LintView) -> tuple[Preview, ...]:
    if not view.renders:
        return ()
    return tuple(part for part in own_parts(view.site) if isinstance(part, Preview))


def _bundle(site: Site) -> Bundle | None:
    named = site.settings.kubernetes.bundle
    return load_bundle(site.folder / named) if named else None


def _readable_bundle(site: Site) -> Bundle | None:
    """Return none for one that cannot be used, too: that is another rule's."""
    try:
        return _bundle(site)
    except SiteError:
        return None


CHECKS = (
    Check(
        id="bundle-missing",
        severity=Severity.WARNING,
        why="Bootstrap and rollout end before their first write without what a bundle brings.",
        judge=bundle,
    ),
    Check(
        id="image-digest",
        severity=Severity.WARNING,
        why="A tag can be moved to another image: a rollout names each by its digest, or ends before its first write.",
        judge=digests,
    ),
    Check(
        id="image-pushed-outdated",
        severity=Severity.WARNING,
        why="What `pushed` names comes before the bundle's image: after a new base under one tag the former stays.",
        judge=pushed,
    ),
)
