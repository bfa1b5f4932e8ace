"""How much of the checklist a run has proven, and what the rest waits for."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from flows._render.document import Document, rows_of
from flows._render.words import names

_NAMED = 3
_PROVEN = ("ok", "changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """
    Items of the checklist by what became of them; every item is in exactly one of the counts after `total`.

    `rollout` are those that come with a component, `components` their names, `ticks` those that a person has to tick,
    `not_due` those whose checks have nothing to look at yet.
    """

    total: int
    proven: int = 0
    drift: int = 0
    unknown: int = 0
    rollout: int = 0
    ticks: int = 0
    not_due: int = 0
    waived: int = 0
    components: tuple[str, ...] = ()

    @property
    def open(self) -> int:
        """All items that are not proven, waived ones too: somebody answers for those, and nothing shows them."""
        return self.total - self.proven

    def __str__(self) -> str:
        """Return it as half a sentence, what was proven first."""
        if not self.open:
            return f"all {self.total:,} items proven"
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
        return f"{self.proven:,} of {self.total:,} items proven, {rest}"

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
    counts = Counter(_kind(item) for item in items)
    waiting = Counter(item["later"] for item in items if _kind(item) == "rollout")
    components = tuple(name for name, _ in waiting.most_common())
    return Coverage(total=len(items), components=components, **counts)


def _kind(item: Document) -> str:
    """Return the count that an item belongs to; a state that nobody knows is never proven."""
    state = item["state"]
    if state in _PROVEN:
        return "proven"
    if state == "not_run":
        return "rollout" if item.get("later") else "ticks" if item.get("kind") == "manual" else "not_due"
    return state if state in ("drift", "waived") else "unknown"
