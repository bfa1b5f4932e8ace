"""What can be shown of a component before its images' digests and its publisher's manifest are there."""

from __future__ import annotations

from dataclasses import dataclass

from model.bundle.bundle import Bundle
from model.errors import BundleError
from model.rollout.image_references import UNKNOWN_DIGEST, known_reference, wanted_name
from model.rollout.render import Upstream, no_upstream, render_component
from model.rollout.rendered import RenderedComponent
from model.rollout.secret_facts import NO_FACTS, SecretFacts
from model.site.components import Component
from model.site.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """
    A component as far as it can be rendered.

    `undigested`: images that stand there with `UNKNOWN_DIGEST`; `absent`: the publisher's manifest that nobody brings,
    so that its objects are left out, empty where none is.
    """

    rendered: RenderedComponent
    undigested: tuple[str, ...]
    absent: str

    @property
    def name(self) -> str:
        """The component's name."""
        return self.rendered.name


def preview(
    site: Site,
    component: Component,
    bundle: Bundle | None = None,
    upstream: Upstream = no_upstream,
    facts: SecretFacts = NO_FACTS,
) -> Preview:
    """Render what can be rendered. Raises `SiteError` where it is neither a digest nor a manifest that is missing."""
    undigested: dict[str, None] = {}

    def reference(site: Site, bundle: Bundle | None, name: str) -> str:
        if component.optional and name not in site.images:
            # An images.yaml that is older than the component.
            undigested[name] = None
            return f"{name}@{UNKNOWN_DIGEST}"
        found = known_reference(site, bundle, name)
        if found is None:
            undigested[name] = None
            return f"{wanted_name(site, name)}@{UNKNOWN_DIGEST}"
        return found

    absent = _absent(component, upstream)
    shown = component.model_copy(update={"upstream": None}) if absent else component
    rendered = render_component(site, shown, bundle, upstream, reference, facts)
    return Preview(rendered=rendered, undigested=tuple(undigested), absent=absent)


def bundle_step(site: Site) -> str:
    """Return what a person does to get digests and publishers' manifests, in one sentence."""
    bundle = site.settings.kubernetes.bundle
    own = "" if (site.folder / "images.yaml").exists() else "copy inventory/images.yaml into the site's folder, then "
    named = "" if bundle else ", and `kubernetes: {bundle: bundle}` in site.yaml"
    folder = site.folder / (bundle or "bundle")
    command = f"python -m flows.bundle download --inventory {site.folder} --output {folder}"
    return f"{own}`{command}`{named} (docs/images.md)"


def _absent(component: Component, upstream: Upstream) -> str:
    try:
        if component.upstream is not None:
            upstream(component.upstream)
    except BundleError:
        return component.upstream or ""
    return ""
