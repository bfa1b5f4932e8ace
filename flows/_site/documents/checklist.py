"""The generated tables of the checklist: how many items of each kind, every item, every check."""

from __future__ import annotations

from collections import Counter

from checks.check import HostCheck
from checks.discovery import every
from checks.items import checklist
from flows._render.words import table
from model.site.site import Site

_KINDS = ("automated", "manual", "later")


def counts(_site: Site) -> str:
    """Return a line a section with the number of items of each kind."""
    known = checklist()
    tally: Counter[tuple[str, str]] = Counter((item.section, item.kind) for item in known.items)
    lines = [_line(section, [tally[section, kind] for kind in _KINDS]) for section in known.sections()]
    total = _line("all", [sum(item.kind == kind for item in known.items) for kind in _KINDS])
    return table(("section", "items", *_KINDS), [*lines, total])


def _line(section: str, numbers: list[int]) -> tuple[object, ...]:
    return (section, sum(numbers), *numbers)


def items(_site: Site) -> str:
    """Return every item with what answers for it."""
    known = checklist()
    parts = []
    for section in known.sections():
        lines = [
            (
                f"`{item.id}`",
                item.title,
                item.kind,
                ", ".join(f"`{check}`" for check in item.checks) or item.where,
            )
            for item in known.items
            if item.section == section
        ]
        parts.append(f"### {section}\n\n{table(('item', 'what is asked for', 'kind', 'what answers for it'), lines)}\n")
    return "\n".join(parts).rstrip()


def checks(_site: Site) -> str:
    """Return every check."""
    lines = [
        (
            f"`{check.id}`",
            check.severity,
            check.phase,
            check.applies.name if isinstance(check, HostCheck) else "the site",
            check.title,
            check.looks_at,
            check.remedy,
        )
        for check in every()
    ]
    return table(("check", "severity", "phase", "for", "what must be so", "what it looks at", "what to do"), lines)
