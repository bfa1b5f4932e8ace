"""Rules of secrets: declared for whoever uses them, each of its own, changed in time, and nothing left CHANGEME."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement import secrets as judged
from model.check.judgement.secrets import SecretFlaw
from model.check.lint.flaw import LintView, flaw
from model.rollout.own_objects import renderable
from model.rollout.rendered import RenderedComponent
from model.rollout.secret_index import kept_indexes


def consumers(view: LintView) -> Iterator[Finding]:
    """Find consumers that are no component, and names that are not one secret's alone."""
    yield from _found(judged.unknown_consumers(view.site), "the name of a component, or none")
    yield from _found(judged.named_twice(view.site), "one secret a name; `when` tells them apart")


def use(view: LintView) -> Iterator[Finding]:
    """Find secrets that templates use otherwise than secrets.yaml says."""
    found = judged.undeclared(view.site, _rendered(view))
    yield from _found(found, "declare it in secrets.yaml, with every component that uses it")


def unused(view: LintView) -> Iterator[Finding]:
    """Find secrets that no template of a consumer uses."""
    yield from _found(judged.unused(view.site, _rendered(view)), "take the consumer, or the secret, away")


def placeholder(view: LintView) -> Iterator[Finding]:
    """Find what was never replaced."""
    yield from _found(judged.placeholders(_rendered(view)), "the value itself, or a secret of secrets.yaml")


def age(view: LintView) -> Iterator[Finding]:
    """Find secrets that are used for too long."""
    if isinstance(indexes := _indexes(view), SecretFlaw):
        yield from _found([indexes], judged.WRITE_ANEW)
        return
    for found in judged.too_old(view.site, indexes, view.now):
        yield from _found([found], f"python -m flows.secrets rotate {found.name}")


def rotations(view: LintView) -> Iterator[Finding]:
    """Find rotations that have not ended, and indexes that do not tell of them."""
    indexes = _indexes(view)
    if not isinstance(indexes, SecretFlaw):
        for found in (*judged.unfinished_rotations(view.site, indexes), *judged.untold_rotations(indexes)):
            yield from _found([found], found.remedy)


def shared(view: LintView) -> Iterator[Finding]:
    """Find values that are used twice."""
    indexes = _indexes(view)
    if not isinstance(indexes, SecretFlaw):
        for found in judged.shared(indexes):
            yield from _found([found], f"python -m flows.secrets rotate {found.name}")


def apart(view: LintView) -> Iterator[Finding]:
    """Find lawful intercept's secrets that are for the same people as the main ones, or others than declared."""
    indexes = _indexes(view)
    fix = "site.yaml names those who answer for lawful intercept, and whoever rolls it out; then"
    known = {} if isinstance(indexes, SecretFlaw) else indexes
    yield from _found(judged.not_apart(view.site, known), f"{fix} python -m flows.secrets recipients")


def key(view: LintView) -> Iterator[Finding]:
    """Find keys that lie beside what they open."""
    yield from _found(judged.key_inside(view.site), "a file outside of the site's folder")


def _rendered(view: LintView) -> tuple[RenderedComponent, ...]:
    """Return what can be rendered (`component-render` finds the rest), nothing where nobody wants to wait for it."""
    return renderable(view.site) if view.renders else ()


def _indexes(view: LintView) -> judged.Indexes | SecretFlaw:
    try:
        return kept_indexes(view.site.folder)
    except ValueError as error:
        return SecretFlaw(name="secrets", message=str(error), file="secrets/", place="(file)")


def _found(flaws: Iterable[SecretFlaw], fix: str) -> Iterator[Finding]:
    for found in flaws:
        path = (
            f"{found.name}.{found.place}" if found.place and found.file == "secrets.yaml" else found.place or found.name
        )
        yield flaw(found.file, path, value=found.name, message=found.message, fix=fix)


CHECKS = (
    Check(
        id="secret-consumers",
        why="Who uses a secret must restart when it changes, and a plan for nobody restarts nobody.",
        judge=consumers,
    ),
    Check(id="secret-use", why="A secret without a declaration has no value, and is never rotated.", judge=use),
    Check(
        id="secret-unused",
        severity=Severity.WARNING,
        why="What nobody uses is kept, copied and rotated for nothing.",
        judge=unused,
    ),
    Check(
        id="placeholder",
        why="A value that was to be replaced and never was is known to everybody.",
        judge=placeholder,
    ),
    Check(
        id="secret-age",
        severity=Severity.WARNING,
        why="The longer a secret is used, the more people and backups have it.",
        judge=age,
    ),
    Check(
        id="secret-rotation",
        severity=Severity.WARNING,
        why="A rotation that was cut short leaves two values that count, or one that nobody has proven.",
        judge=rotations,
    ),
    Check(
        id="secret-shared",
        severity=Severity.WARNING,
        why="Who learns one of two equal secrets has both.",
        judge=shared,
    ),
    Check(
        id="secret-recipients",
        severity=Severity.WARNING,
        why="Lawful intercept's secrets are not for everybody who runs the main deployment.",
        judge=apart,
    ),
    Check(id="secret-key", why="A key beside what it opens protects nothing.", judge=key),
)
