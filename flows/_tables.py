"""How does a table look in Markdown?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """
    Return a Markdown table; bars and line ends within cells cannot break it.
    """
    rows = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    rows += [f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines]
    return "\n".join(rows)


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())
