"""The items of the checklist, read from items.yaml, and what answers for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from model import document
from model.base import Declared, Text

FILE = Path(__file__).with_name("items.yaml")
Kind = Literal["automated", "manual", "later"]


class _Entry(Declared):
    title: Text
    checks: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    who: Text | None = None
    later: Text | None = None


class _Section(Declared):
    key: Text
    title: Text
    items: tuple[_Entry, ...]


class _File(Declared):
    sections: tuple[_Section, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    One item: `checks` that all must be good, or the function (`who`) that ticks it, or the component (`later`) that
    brings it.

    `section` is the checklist's own heading, `number` counts within it.
    """

    id: str
    section: str
    number: int
    title: str
    kind: Kind
    checks: tuple[str, ...] = ()
    who: str = ""
    later: str = ""

    @property
    def where(self) -> str:
        """Where a person's tick is recorded, or why none is asked for."""
        if self.kind == "manual":
            return f"`signed_off` in site.yaml, by the {self.who}"
        return f"comes with: {self.later}" if self.kind == "later" else ""

    def to_json(self) -> dict[str, object]:
        """Return it as lists and reports have it."""
        data: dict[str, object] = {"id": self.id, "section": self.section, "number": self.number, "kind": self.kind}
        return data | {"title": self.title, "checks": list(self.checks), "who": self.who, "later": self.later}


@dataclass(frozen=True, slots=True)
class Checklist:
    """All items in the checklist's order."""

    items: tuple[Item, ...]

    def of(self, check: str) -> tuple[Item, ...]:
        """Return the items that a check answers for."""
        return tuple(item for item in self.items if check in item.checks)

    def sections(self) -> tuple[str, ...]:
        """Return the headings in their order."""
        return tuple(dict.fromkeys(item.section for item in self.items))


@cache
def checklist() -> Checklist:
    """Read the data file; raises ValueError for an entry that is not exactly one kind, and for a name used twice."""
    return read(FILE.read_text("utf-8"))


def read(text: str) -> Checklist:
    """Return the checklist that a file's text describes; raises as `checklist`."""
    file = TypeAdapter(_File).validate_python(_frozen(document.parse(text)))
    items = tuple(
        _item(section, number, entry) for section in file.sections for number, entry in enumerate(section.items, 1)
    )
    for names in ([item.id for item in items], [section.title for section in file.sections]):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ValueError(f"{FILE.name}: two are called {', '.join(twice)}; rename one of them")
    return Checklist(items)


def _frozen(value: object) -> object:
    if isinstance(value, list):
        return tuple(_frozen(part) for part in value)
    return {key: _frozen(part) for key, part in value.items()} if isinstance(value, dict) else value


def _item(section: _Section, number: int, entry: _Entry) -> Item:
    kinds: Iterable[tuple[Kind, object]] = (("automated", entry.checks), ("manual", entry.who), ("later", entry.later))
    given: list[Kind] = [kind for kind, value in kinds if value]
    name = f"{section.key}-{number}"
    if len(given) != 1:
        raise ValueError(f"{FILE.name}: {name} ({entry.title}): exactly one of checks, who and later")
    return Item(
        id=name,
        section=section.title,
        number=number,
        title=entry.title,
        kind=given[0],
        checks=entry.checks or (),
        who=entry.who or "",
        later=entry.later or "",
    )
