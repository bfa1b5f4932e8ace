"""Which checks answer for the checklist? Every module of `checks.subjects` is asked for its `CHECKS`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from checks import subjects
from checks.check import ComplianceCheck
from model.check.check import discover

AnyCheck = ComplianceCheck[...]


@cache
def every() -> tuple[AnyCheck, ...]:
    """
    Return all checks, in the order of their places in the checklist; raises ValueError where two have the same id.
    """
    return tuple(sorted(discover(subjects, ComplianceCheck), key=lambda check: (check.place.line, check.id)))


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
