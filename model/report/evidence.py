"""What an outcome carries as evidence, read as a diff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def diff_lines(evidence: object) -> list[str]:
    """
    Return evidence as lines of a diff, or nothing if it is none.

    A diff is text, a list of lines, or a mapping that has one of them under `diff`, with a line that starts with `+`,
    `-` or `~`.
    """
    if isinstance(evidence, Mapping):
        return diff_lines(evidence.get("diff"))
    if isinstance(evidence, str):
        lines = evidence.splitlines()
    elif isinstance(evidence, Sequence) and all(isinstance(line, str) for line in evidence):
        lines = [part for line in evidence for part in line.splitlines()]
    else:
        return []
    return lines if any(line.startswith(("+", "-", "~ ")) for line in lines) else []
