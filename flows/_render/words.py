"""Names, ports and foreign text written so that a person can read them, and nothing in them can act."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from model.report.evidence import diff_lines

_SHOWN = 6


def printable(text: str) -> str:
    """
    Replace control characters, which a host's answer could use to act on a terminal or to break XML, by their escapes.

    Line ends and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def names(items: Iterable[str], shown: int | None = _SHOWN) -> str:
    """Join names by commas; those beyond `shown` are counted. None shows all."""
    every = list(items)
    if shown is None or len(every) <= shown + 1:
        return ", ".join(every)
    return f"{', '.join(every[:shown])} and {len(every) - shown} more"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun: `1 host`, `2,000 hosts`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def ports(low: int, high: int, protocol: str) -> str:
    """Write a stretch of ports: `5432/tcp`, `1-1024/udp`; a protocol without ports is its name alone."""
    if protocol not in ("tcp", "udp"):
        return protocol
    return f"{low}/{protocol}" if low == high else f"{low}-{high}/{protocol}"


def plain(evidence: object) -> str:
    """Return any evidence as text."""
    if isinstance(evidence, str):
        return evidence
    lines = diff_lines(evidence)
    return "\n".join(lines) if lines else json.dumps(evidence, ensure_ascii=False, default=str)


def table(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; bars and line ends within cells cannot break it."""
    rows = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    rows += [f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines]
    return "\n".join(rows)


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())
