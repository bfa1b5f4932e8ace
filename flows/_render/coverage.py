"""How much of the checklist a run has proven, and what the rest waits for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass
from typing import Any, Literal

from flows._render.document import Document, rows_of
from flows._render.words import names

_NAMED = 3
_PROVEN = frozenset({"ok", "changed"})
# Checks of this subject read the site's own files and look at no host.
_OF_THE_FILES = "site/"

Kind = Literal["proven", "drift", "unknown", "rollout", "ticks", "not_due", "waived"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """
    Items of the checklist by what became of them; every item is in exactly one of the counts after `total`.

    `rollout` are those that come with a component, `components` their names, `ticks` those that a person has to tick,
    `not_due` those of which a check, or all, has nothing to look at yet. `by_files` of the proven ones rest on what the
    site's files say, and on nothing that was looked at; they are no count of their own.
    """

    total: int
    proven: int = 0
    drift: int = 0
    unknown: int = 0
    rollout: int = 0
    ticks: int = 0
    not_due: int = 0
    waived: int = 0
    by_files: int = 0
    components: tuple[str, ...] = ()

    @property
    def open(self) -> int:
        """All items that are not proven, waived ones too: somebody answers for those, and nothing shows them."""
        return self.total - self.proven

    def __str__(self) -> str:
        """Return it as half a sentence, what was proven first."""
        if not self.open:
            return f"all {self.total:,} items proven{self._by_files()}"
        come_with = f" ({names(self.components, _NAMED)})" if self.components else ""
        parts = (
            (self.drift, "not as declared"),
            (self.unknown, "not known"),
            (self.rollout, f"{_wait(self.rollout)} for the rollout{come_with}"),
            (self.ticks, f"{_wait(self.ticks)} for a person's tick"),
            (self.not_due, "not due yet"),
            (self.waived, "waived"),
        )
        rest = ", ".join(f"{number:,} {words}" for number, words in parts if number)
        return f"{self.proven:,} of {self.total:,} items proven{self._by_files()}, {rest}"

    def _by_files(self) -> str:
        """Return how many of the proven items nobody looked at a host for; nothing where that is none."""
        if not self.by_files:
            return ""
        whose = "all" if self.by_files == self.proven else f"{self.by_files:,}"
        return f" ({whose} of them by the site's files)"

    def to_json(self) -> dict[str, Any]:
        """Return the counts, and the sentence, for the page."""
        return asdict(self) | {"open": self.open, "text": str(self)}


def _wait(number: int) -> str:
    return "waits" if number == 1 else "wait"


def coverage(report: Document) -> Coverage | None:
    """Return the coverage of a report's `items`; None for a run that tells of no items."""
    items = rows_of(report, "items")
    if not items:
        return None
    kinds = item_kinds(report)
    counts: Counter[str] = Counter(kinds.values())
    waiting = Counter(item["later"] for item in items if kinds[item["id"]] == "rollout")
    components = tuple(name for name, _ in waiting.most_common())
    by_files = sum(kinds[item["id"]] == "proven" and _of_the_files(item) for item in items)
    return Coverage(total=len(items), components=components, by_files=by_files, **counts)


def item_kinds(report: Document) -> dict[str, Kind]:
    """Return the count that each item of a report belongs to, by the item's id."""
    by_subject: dict[str, set[str]] = {}
    for outcome in rows_of(report, "outcomes"):
        by_subject.setdefault(outcome["subject"], set()).add(outcome["status"])
    return {item["id"]: _kind(item, by_subject) for item in rows_of(report, "items")}


def _kind(item: Document, by_subject: Mapping[str, Set[str]]) -> Kind:
    """
    Return the count that an item belongs to.

    It is proven only when every check that answers for it was judged good on every host: one that was not due, or not
    judged at all, leaves it open. A state that nobody knows is never proven.
    """
    state = item["state"]
    if state in _PROVEN:
        judged = all(by_subject.get(check) and by_subject[check] <= _PROVEN for check in item.get("checks") or ())
        return "proven" if judged else "not_due"
    if state == "not_run":
        return "rollout" if item.get("later") else "ticks" if item.get("kind") == "manual" else "not_due"
    return state if state in ("drift", "waived") else "unknown"


def _of_the_files(item: Document) -> bool:
    checks = item.get("checks") or ()
    return bool(checks) and all(check.startswith(_OF_THE_FILES) for check in checks)
