"""The words of a line of iptables-restore, which knows double quotes and nothing else of a shell's."""

from __future__ import annotations

import re

# Within quotes a backslash takes the next character as it is; what is not closed goes to the line's end.
_WORD = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*(?:"|$))+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|$)')
_ESCAPED = re.compile(r"\\(.)")


def tokens(line: str) -> tuple[str, ...]:
    """Return the words of a line, as the program takes them."""
    if '"' not in line:
        return tuple(line.split())
    return tuple(_QUOTED.sub(_bare, word) for word in _WORD.findall(line))


def _bare(quoted: re.Match[str]) -> str:
    return _ESCAPED.sub(r"\1", quoted[1])
