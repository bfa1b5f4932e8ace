"""One thing that a report tells a person, and how bad it is."""

from __future__ import annotations

from dataclasses import dataclass

# Worst first; the words are severities, verdicts and statuses as reports have them.
LEVELS = (
    "error",
    "violation",
    "drift",
    "failed",
    "missing",
    "unproven",
    "warning",
    "changed",
    "waived",
    "not_run",
)
BAD = frozenset(LEVELS[: LEVELS.index("warning")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """
    `hosts` are those it is about, `count` how many outcomes or cells it stands for, `detail` lines of a diff.

    `first` identifies one of them: `host|subject` of an outcome, or the index of a cell as a number in text.
    """

    level: str
    title: str
    next: str = ""
    hosts: tuple[str, ...] = ()
    count: int = 1
    detail: tuple[str, ...] = ()
    first: str = ""

    @property
    def bad(self) -> bool:
        """True when somebody has to do something about it."""
        return self.level in BAD
