"""Rules of pods in the matrix: each word of a row means pods, and each kind of pods has a row."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.lint.flaw import LintView, flaw
from model.check.lint.subjects.matrix import place
from model.errors import did_you_mean
from model.matrix.pod_words import known_words, unspoken_words
from model.rollout.invariants.ports import unled
from model.rollout.invariants.stack import Stack
from model.rollout.own_objects import renderable
from model.site.rows import Row


def unknown_word(view: LintView) -> Iterator[Finding]:
    """Find words of rows by which no component knows its pods: what they say would never be opened."""
    known = known_words(view.site)
    for row in view.site.rows:
        for side, words in (("pod_from", row.pod_from), ("pod_to", row.pod_to)):
            for word in words:
                if word not in known:
                    message = f"no component calls its pods so{did_you_mean(word, sorted(known))}"
                    fix = "a word of `pods` in components.yaml"
                    yield flaw("ports.yaml", f"{place(view.site, row)}.{side}", value=word, message=message, fix=fix)


def wordless_end(view: LintView) -> Iterator[Finding]:
    """Find rows whose end is pods without saying which, and those that name pods at an end that is none."""
    for row in view.site.rows:
        yield from _wordless(view, row, "pod_from", "from", row.source_ends, row.pod_from)
        yield from _wordless(view, row, "pod_to", "to", row.destination_ends, row.pod_to)


def _wordless(
    view: LintView, row: Row, side: str, end: str, ends: tuple[str, ...], words: tuple[str, ...]
) -> Iterator[Finding]:
    path = f"{place(view.site, row)}.{side}"
    if "pods" in ends and not words:
        message = f"`{end}` says pods, and nothing says which: no policy opens it"
        yield flaw("ports.yaml", path, value="", message=message, fix='words of components, or ["*"] for every pod')
    if words and "pods" not in ends:
        message = f"names pods, and `{end}` is {', '.join(ends)}"
        yield flaw("ports.yaml", path, value=", ".join(words), message=message, fix=f"`pods` in `{end}`, or no {side}")


def unspoken_word(view: LintView) -> Iterator[Finding]:
    """Find pods of components that no row speaks of: they would be closed to everybody."""
    for number, component in enumerate(view.site.components):
        for word in unspoken_words(view.site, component):
            message = "no row of ports.yaml speaks of these pods: they could do nothing but ask for names"
            path = f"components.{number} ({component.name}).pods.{word}"
            yield flaw("components.yaml", path, value=word, message=message, fix="rows with this word")


def unled_port(view: LintView) -> Iterator[Finding]:
    """Find ports of pods and Services of our own templates that no row leads to: nobody would reach them."""
    if not view.renders:
        return
    for port in unled(Stack(view.site, renderable(view.site))):
        message = f"no row that holds for this site leads there: {port.place}"
        fix = f"a row of the plane pod with {port.number} in `ports` and {port.word} in `pod_to`"
        yield flaw("ports.yaml", "rows", value=f"{port.word}:{port.number}", message=message, fix=fix)


CHECKS = (
    Check(
        id="pod-word",
        why="NetworkPolicies find pods by the words of rows.",
        severity=Severity.WARNING,
        judge=unknown_word,
    ),
    Check(
        id="pod-wordless",
        why="A policy opens what is said of certain pods, and nothing that is said of none.",
        severity=Severity.WARNING,
        judge=wordless_end,
    ),
    Check(
        id="pod-unspoken",
        why="Every pod is closed; rows open what it needs: a rollout of such pods ends before its first write.",
        severity=Severity.WARNING,
        judge=unspoken_word,
    ),
    Check(
        id="pod-port",
        why="Every pod is closed: a port that no row leads to is declared for nobody.",
        severity=Severity.WARNING,
        judge=unled_port,
    ),
)
