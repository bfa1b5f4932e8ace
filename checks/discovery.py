"""The checks that answer for the checklist: the `CHECKS` of every module of `checks.subjects`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from checks import subjects
from checks.check import ComplianceCheck
from checks.items import checklist
from model.check.check import discover

AnyCheck = ComplianceCheck[...]


@cache
def every() -> tuple[AnyCheck, ...]:
    """
    Return all checks, in the order of the first item that each answers for; raises ValueError where two have one id, or
    one answers for no item.
    """
    checks = discover(subjects, ComplianceCheck)
    order: dict[str, int] = {}
    for place, item in enumerate(checklist().items):
        for name in item.checks:
            order.setdefault(name, place)
    itemless = sorted(check.id for check in checks if check.id not in order)
    if itemless:
        raise ValueError(f"no item of items.yaml names {', '.join(itemless)}")
    return tuple(sorted(checks, key=lambda check: (order[check.id], check.id)))


def chosen(checks: Iterable[AnyCheck], ids: Iterable[str]) -> tuple[AnyCheck, ...]:
    """
    Return the checks of these ids; a subject alone (`firewall`) stands for all of it. Raises KeyError for a word that
    names none.
    """
    wanted = tuple(ids)
    known = tuple(checks)
    for word in wanted:
        if not any(_named(check, word) for check in known):
            raise KeyError(word)
    return tuple(check for check in known if any(_named(check, word) for word in wanted)) if wanted else known


def _named(check: AnyCheck, word: str) -> bool:
    return word in (check.id, check.id.partition("/")[0])
