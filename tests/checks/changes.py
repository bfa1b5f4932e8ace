"""A change of a host's document, and the check that must find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Sections = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A change of a host's document, the check that finds it there, and a word of what it says."""

    check: str
    host: str
    change: Callable[[Sections], None]
    says: str


def put(*place: str | int, to: Any) -> Callable[[Sections], None]:
    """Return a change that puts a value at a place."""

    def change(sections: Sections) -> None:
        whole: Any = sections
        for word in place[:-1]:
            whole = whole[word]
        whole[place[-1]] = to

    return change


def text(section: str, old: str, new: str, *keys: str) -> Callable[[Sections], None]:
    """Return a change that replaces text of a section, or of one of its keys."""

    def change(sections: Sections) -> None:
        whole: Any = sections
        path = [section, *keys]
        for word in path[:-1]:
            whole = whole[word]
        assert old in whole[path[-1]], f"{old} is not in {section}"
        whole[path[-1]] = whole[path[-1]].replace(old, new, 1)

    return change


def both(*changes: Callable[[Sections], None]) -> Callable[[Sections], None]:
    """Return all changes as one."""

    def change(sections: Sections) -> None:
        for entry in changes:
            entry(sections)

    return change
