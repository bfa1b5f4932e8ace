"""Components rendered from the site alone: templates become objects and files, secrets stay names."""

from __future__ import annotations

import contextlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import yaml

from model.bundle.bundle import Bundle
from model.checkout import TEMPLATES
from model.errors import BundleError, SiteError
from model.kubernetes.manifests import Manifest, name_of
from model.rollout.graph import active
from model.rollout.image_references import ImageUnknown, Reference, image_reference
from model.rollout.publishers import objects_of
from model.rollout.rendered import RenderedComponent, SecretRef
from model.rollout.secret_facts import NO_FACTS, SecretFacts
from model.site.components import Component
from model.site.site import Site

if TYPE_CHECKING:
    from jinja2 import Environment

MANIFESTS = TEMPLATES / "manifests"
COMPONENT_LABEL = "matrix-fleet.io/component"
_OURS = {"app.kubernetes.io/managed-by": "matrix-fleet"}
# What is rendered is YAML and configuration of servers, not HTML: nothing is escaped.
_OPTIONS: Mapping[str, Any] = {
    "autoescape": False,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "keep_trailing_newline": True,
    "extensions": ("jinja2.ext.do",),
}
Upstream = Callable[[str], str]


def no_upstream(name: str) -> str:
    """Refuse: without a bundle there is no publisher's manifest."""
    raise BundleError(
        f"there is no publisher's manifest of {name}",
        next_step="a bundle brings it (`python -m flows.bundle download`, `kubernetes.bundle` in site.yaml)",
    )


def upstream_of(bundle: Bundle, folder: Path) -> Upstream:
    """Return how a publisher's manifest is read out of a bundle."""

    def read(name: str) -> str:
        item = next((item for item in bundle.manifests if item.name == name), None)
        return (folder / item.file).read_text("utf-8") if item else no_upstream(name)

    return read


def render_site(
    site: Site, bundle: Bundle | None = None, upstream: Upstream = no_upstream
) -> tuple[RenderedComponent, ...]:
    """
    Render every component the site has, each after what it needs, but optional ones of whose images nothing says the
    digest. Raises `SiteError` naming component and file.
    """
    found: list[RenderedComponent] = []
    for component in active(site):
        try:
            found.append(render_component(site, component, bundle, upstream))
        except ImageUnknown:
            if not component.optional:
                raise
    return tuple(found)


def render_component(
    site: Site,
    component: Component,
    bundle: Bundle | None = None,
    upstream: Upstream = no_upstream,
    reference: Reference = image_reference,
    facts: SecretFacts = NO_FACTS,
) -> RenderedComponent:
    """
    Render one component; `facts` are what its templates may know of the site's store.

    Raises `SiteError` naming the file that cannot be rendered, and why.
    """
    folder = MANIFESTS / component.name
    values = _Values(site, component, lambda name: reference(site, bundle, name), facts)
    objects = list(_upstream_objects(values, component, upstream))
    for path in sorted(folder.glob("*.yaml.j2")):
        text = values.render(path)
        try:
            objects += _documents(text)
        except yaml.YAMLError as error:
            raise SiteError(f"{_relative(path)}: is rendered to no YAML: {error}") from error
    _refuse_twice(component, objects)
    labelled = tuple(_labelled(manifest, component) for manifest in objects)
    return RenderedComponent(component=component, objects=labelled, files=values.files)


class _Values:
    """What a component's templates may name, and the files they asked for."""

    def __init__(self, site: Site, component: Component, image: Callable[[str], str], facts: SecretFacts) -> None:
        self.site, self.component, self.image, self.folder = site, component, image, MANIFESTS / component.name
        self.files: dict[str, str] = {}
        module = component_module(component.name)
        own = module.values(site) if module is not None and hasattr(module, "values") else {}
        self.variables: dict[str, object] = {
            "site": site,
            "settings": site.settings,
            "features": site.settings.features,
            "domain": site.settings.domain,
            "component": component,
            "namespace": component.namespace,
            "image": self.image,
            "secret": secret,
            "accepted": accepted,
            "two_values": lambda name, key: SecretRef(name, key) in facts.windows,
            "old_signing_keys": {name: key.to_json() for name, key in facts.old_keys.items()},
            "file": self.file,
            **own,
        }

    def file(self, name: str, **more: object) -> str:
        """Return a configuration file of the component; `as_name` is what it is called where it is mounted."""
        called = str(more.pop("as_name", name))
        self.files[called] = self.render(self.folder / "files" / f"{name}.j2", more)
        return self.files[called]

    def render(self, path: Path, more: Mapping[str, object] | None = None) -> str:
        from jinja2 import TemplateError

        try:
            template = _environment().get_template(_relative(path))
            return template.render(**self.variables, **(more or {})).rstrip("\n") + "\n"
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            raise SiteError(f"{_relative(path)}{f':{line}' if line else ''}: {error}") from error


def secret(name: str, key: str) -> str:
    """Return the marker that stands for a secret's value until the moment it is sent."""
    return SecretRef(name, key).marker


def accepted(name: str, key: str) -> str:
    """Return the marker of the value that is accepted beside the one in use; there is one where `two_values` says."""
    return SecretRef(name, key).accepted.marker


@cache
def component_module(name: str) -> ModuleType | None:
    """Return the module of `model.rollout.values` that belongs to a component, None where it needs none."""
    path = f"model.rollout.values.{name.replace('-', '_')}"
    return import_module(path) if importlib.util.find_spec(path) else None


def _upstream_objects(values: _Values, component: Component, upstream: Upstream) -> Iterator[Manifest]:
    """Yield the publisher's own objects, as the component's module adapts them to the site."""
    if component.upstream is None:
        return
    text = upstream(component.upstream)
    objects = [_as_kept(document) for document in objects_of(text, TEMPLATES)]
    module = component_module(component.name)
    if module is not None and hasattr(module, "adapt"):
        adapted: Sequence[Manifest] = module.adapt(objects, values.site, values.image)
        yield from adapted
    else:
        yield from objects


def _documents(text: str) -> list[Manifest]:
    """Return a text's objects. One that `tojson` wrote on a line of its own is read as JSON, ten times as fast."""
    lines = text.splitlines()
    if all(line == "---" or line.startswith(("#", '{"')) for line in lines):
        with contextlib.suppress(ValueError):
            return [json.loads(line) for line in lines if line.startswith("{")]
    return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]


def _as_kept(manifest: Manifest) -> Manifest:
    """Leave out what the API knows no other value of and does not keep: it would be a difference that never ends."""
    for field in [field for field, value in manifest.items() if value is None]:
        del manifest[field]
    if manifest["kind"] == "CustomResourceDefinition" and manifest["spec"].get("preserveUnknownFields") is False:
        del manifest["spec"]["preserveUnknownFields"]
    return manifest


def _refuse_twice(component: Component, objects: Sequence[Manifest]) -> None:
    names = [(manifest.get("apiVersion", "").partition("/")[0], name_of(manifest)) for manifest in objects]
    if twice := sorted({name for group, name in names if names.count((group, name)) > 1}):
        raise SiteError(f"templates/manifests/{component.name}: renders twice: {', '.join(twice)}")


def _labelled(manifest: Manifest, component: Component) -> Manifest:
    meta = manifest.setdefault("metadata", {})
    meta["labels"] = {**(meta.get("labels") or {}), **_OURS, COMPONENT_LABEL: component.name}
    return manifest


def _relative(path: Path) -> str:
    return str(path.relative_to(TEMPLATES))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from model.rollout.compiled_templates import CompiledTemplates

    return Environment(  # noqa: S701 - as _OPTIONS says
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        bytecode_cache=CompiledTemplates(TEMPLATES, _OPTIONS),
        **_OPTIONS,
    )
