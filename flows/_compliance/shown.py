"""The lists of checks and items, for a person and for a script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from checks.check import ComplianceCheck, HostCheck
from checks.discovery import every
from checks.items import Item, checklist
from flows._render.summary import Line
from flows._render.words import counted
from flows._run import folder
from flows._run.options import Options
from flows._run.screen import Screen
from model.errors import SelectionError, did_you_mean
from model.report.outcome import GOOD

SCHEMA = "matrix-fleet/checklist/1"


def described(checks: Iterable[ComplianceCheck[...]]) -> list[dict[str, object]]:
    """Return checks as reports have them."""
    return [_described(check) for check in checks]


def _described(check: ComplianceCheck[...]) -> dict[str, object]:
    items = checklist().of(check.id)
    return {
        "id": check.id,
        "title": check.title,
        "section": items[0].section,
        "phase": check.phase,
        "severity": check.severity,
        "applies": check.applies.name if isinstance(check, HostCheck) else "the site as a whole",
        "looks_at": check.looks_at,
        "by": check.by,
        "remedy": check.remedy,
        "items": [item.id for item in items],
    }


def list_all(options: Options, checks: Sequence[ComplianceCheck[...]]) -> int:
    """Show the checks and the items that they answer for, of all checks every item; with --json as one document."""
    screen, ids = Screen(options), {check.id for check in checks}
    items = [item for item in checklist().items if len(checks) == len(every()) or ids & set(item.checks)]
    document = {
        "schema": SCHEMA,
        "items": [item.to_json() for item in items],
        "checks": described(checks),
    }
    folder.check_writable(options.json)
    folder.hand_over(options.json, folder.canonical(document), screen.text)
    if not screen.calm:
        screen.lines([*_checks(checks), Line(""), *_items(items)])
    return GOOD


def _checks(checks: Sequence[ComplianceCheck[...]]) -> Iterable[Line]:
    width = max(len(check.id) for check in checks)
    yield Line(counted(len(checks), "check"), "bold")
    for check in checks:
        yield Line(f"{check.id:<{width}}  {check.severity:<7}  {check.phase:<13}  {check.title}", "", 2)


def _items(items: Sequence[Item]) -> Iterable[Line]:
    counts = Counter(item.kind for item in items)
    kinds = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    yield Line(f"{counted(len(items), 'item')} of the checklist: {kinds}", "bold")
    for section, of in groupby(items, lambda item: item.section):
        yield Line(section, "bold", 2)
        for item in of:
            answer = ", ".join(item.checks) or item.where
            yield Line(f"{item.id:<22}  {item.kind:<10} {item.title}: {answer}", "", 4)


def explain(options: Options, name: str) -> int:
    """Show everything about a check or an item; raises `SelectionError` for a name that is neither."""
    check = next((check for check in every() if check.id == name), None)
    item = next((item for item in checklist().items if item.id == name), None)
    if check is None and item is None:
        known = [*(check.id for check in every()), *(item.id for item in checklist().items)]
        raise SelectionError(f"--explain {name}: no such check or item{did_you_mean(name, known)}; `--list` shows all")
    facts = _described(check) if check else item.to_json() if item else {}
    screen = Screen(options)
    folder.hand_over(options.json, folder.canonical(facts), screen.text)
    if not screen.calm:
        screen.lines([Line(f"{key.replace('_', ' '):<9} {_joined(value)}") for key, value in facts.items() if value])
    return GOOD


def _joined(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
