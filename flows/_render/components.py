"""A rollout's components and gates as lines: what is good in few words, the rest one by one."""

from __future__ import annotations

from flows._render.document import Document, rows_of
from flows._render.line import Line
from flows._render.words import counted

_STYLES = {
    "ok": "green",
    "changed": "cyan",
    "not_run": "dim",
    "drift": "yellow",
}
_KINDS = ("created", "changed", "replaced", "pruned")
_PROVEN = "proven at "


def component_lines(report: Document, verbose: bool) -> list[Line]:
    """Return lines of the components and gates; none for a flow that has none."""
    return [*_components(rows_of(report, "components"), verbose), *_gates(rows_of(report, "gates"), verbose)]


def _components(rows: list[Document], verbose: bool) -> list[Line]:
    shown = [row for row in rows if verbose or row["status"] != "ok"]
    quiet = len(rows) - len(shown)
    width = max((len(row["name"]) for row in shown), default=0)
    lines = [Line(_component(row, width), _STYLES.get(row["status"], "red"), 4) for row in shown]
    if quiet:
        total = sum(row["objects"] for row in rows if row not in shown)
        lines.append(Line(f"{counted(quiet, 'component')} as declared, {counted(total, 'object')}", "green", 4))
    return [Line("components", "", 2), *lines] if lines else []


def _component(row: Document, width: int) -> str:
    counts = [f"{row[kind]} {kind}" for kind in _KINDS if row[kind]]
    words = ", ".join([counted(row["objects"], "object"), *counts, f"{row['seconds']:.1f} s"])
    return f"{row['name']:<{width}}  {row['status'].replace('_', ' '):<8}  {words}"


def _gates(rows: list[Document], verbose: bool) -> list[Line]:
    before = [row for row in rows if row["status"] == "not_run" and row["why"].startswith(_PROVEN)]
    shown = [row for row in rows if verbose or row not in before]
    width = max((len(row["name"]) for row in shown), default=0)
    lines = [Line(_gate(row, width), _STYLES.get(row["status"], "red"), 4) for row in shown]
    if before and not verbose:
        words = (
            f"{counted(len(before), 'gate')} proven before; nothing changed since, so not tried again (--gates does)"
        )
        lines.append(Line(words, "dim", 4))
    return [Line("gates", "", 2), *lines] if lines else []


def _gate(row: Document, width: int) -> str:
    figures = ", ".join(f"{name} {value:g}" for name, value in row["figures"].items())
    words = "; ".join(filter(None, (row["why"], figures)))
    return f"{row['name']:<{width}}  {row['status'].replace('_', ' '):<8}  {words}"
