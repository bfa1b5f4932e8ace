"""Rules of the application's components: their order can be kept, and what their templates name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.lint.flaw import LintView, flaw
from model.checkout import ROOT, TEMPLATES
from model.errors import SiteError, did_you_mean
from model.rollout.graph import ordered
from model.rollout.own_objects import Unrendered, own_parts
from model.site.components import Component

_FILE = "components.yaml"
_IMAGE = re.compile(r"""\bimage\(\s*["']([^"']+)["']""")


def unordered(view: LintView) -> Iterator[Finding]:
    """Find needs that no component meets, and components that need each other in a circle."""
    known = {component.name for component in view.site.components}
    for component in view.site.components:
        for need in component.needs:
            if need not in known:
                fix = f"the name of a component{did_you_mean(need, known)}"
                place = f"components.{component.name}.needs"
                yield flaw(_FILE, place, value=need, message="no component is called so", fix=fix)
    try:
        ordered(view.site.components)
    except SiteError as error:
        words = str(error).removeprefix(f"{_FILE}: ")
        yield flaw(_FILE, "components", value="", message=words, fix="take one of these needs away")


def twice(view: LintView) -> Iterator[Finding]:
    """Find two components of one name, and two that the same pods of ports.yaml would belong to."""
    seen: set[str] = set()
    for component in view.site.components:
        if component.name in seen:
            place = f"components.{component.name}"
            yield flaw(_FILE, place, value=component.name, message="is there twice", fix="rename one of them")
        seen.add(component.name)
    owners: dict[str, str] = {}
    for component in _here(view):
        for word in component.pods:
            if word in owners:
                message = f"are those of {owners[word]} too"
                place = f"components.{component.name}.pods.{word}"
                yield flaw(_FILE, place, value=word, message=message, fix="one word of ports.yaml, one component")
            owners.setdefault(word, component.name)


def without_templates(view: LintView) -> Iterator[Finding]:
    """Find components that have nothing to bring."""
    for component in _here(view):
        if component.upstream is None and not _templates(component):
            yield flaw(
                _FILE,
                f"components.{component.name}",
                value=component.name,
                message="has no template of an object",
                fix=f"write templates/manifests/{component.name}/*.yaml.j2",
            )


def unknown_images(view: LintView) -> Iterator[Finding]:
    """Find images that templates name and images.yaml has not; an optional component is left out for that."""
    for component in (component for component in _here(view) if not component.optional):
        named = {name for text in _templates(component).values() for name in _IMAGE.findall(text)}
        for name in sorted(named - set(view.site.images)):
            fix = f"add it to images.yaml{did_you_mean(name, view.site.images)}"
            place = f"components.{component.name}"
            yield flaw(_FILE, place, value=name, message="its templates name an image nobody declares", fix=fix)


def unrenderable(view: LintView) -> Iterator[Finding]:
    """Find components whose objects cannot be made of the site."""
    for part in own_parts(view.site) if view.renders else ():
        if isinstance(part, Unrendered):
            name = part.component.name
            message = f"cannot be rendered: {part.error}"
            fix = part.error.next_step or f"python -m flows.rollout --component {name} --render DIR shows what is wrong"
            yield flaw(_FILE, f"components.{name}", value=name, message=message, fix=fix)


def untried(view: LintView) -> Iterator[Finding]:
    """Find gates for which there is no program: what they should prove stays unproven."""
    for component in _here(view):
        for gate in (*component.gates, *component.optional_gates):
            if not (ROOT / "remote" / "gates" / f"{gate.replace('-', '_')}.py").exists():
                fix = f"write remote/gates/{gate.replace('-', '_')}.py, or take the gate away"
                place = f"components.{component.name}.gates"
                yield flaw(_FILE, place, value=gate, message="there is no program for this gate", fix=fix)


def _here(view: LintView) -> tuple[Component, ...]:
    """Return the components the site has, as they are declared."""
    return tuple(component for component in view.site.components if component.holds(view.site.settings.active))


def _templates(component: Component) -> dict[str, str]:
    folder = TEMPLATES / "manifests" / component.name
    return {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.yaml.j2"))}


CHECKS = (
    Check(
        id="component-order",
        why="A component that needs one that never comes is never rolled out.",
        judge=unordered,
    ),
    Check(
        id="component-twice",
        why="Names stand for one thing: what is pruned, and whom a row of ports.yaml opens to, follows from them.",
        judge=twice,
    ),
    Check(
        id="component-templates",
        why="A component without objects would count as rolled out, and nothing would be there.",
        judge=without_templates,
    ),
    Check(
        id="component-image",
        why="A rollout ends before its first write where an image is not known.",
        judge=unknown_images,
    ),
    Check(
        id="component-render",
        # Everything before the rollout goes without: a site of before there was one is as good as it was.
        severity=Severity.WARNING,
        why="A rollout ends before its first write where a component cannot be rendered.",
        judge=unrenderable,
    ),
    Check(
        id="component-gate",
        why="Ready pods are no proof: without a gate nobody has used the component.",
        severity=Severity.WARNING,
        judge=untried,
    ),
)
