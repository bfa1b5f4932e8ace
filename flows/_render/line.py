"""One line for a terminal, and how it is folded without breaking a path or a command."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

# A command in backticks, or one that begins as all of ours do, with the flags that follow.
_COMMAND = re.compile(r"`[^`\n]+`|python -m [\w.]+(?: --?[\w-]+)*")
# No text holds it once it is cleaned, and textwrap does not break there.
_GLUE = "\0"
_NARROWEST = 20


@dataclass(frozen=True, slots=True)
class Line:
    """
    One line of text with its colour and the column at which it starts; `whole` is never folded, as a diff's line.

    What is folded goes on `hang` columns deeper.
    """

    text: str
    style: str = ""
    indent: int = 0
    whole: bool = False
    hang: int = 2

    def folded(self, width: int | None, clean: Callable[[str], str]) -> list[str]:
        """Return the line, cleaned, in as many pieces as the width asks for; folded nowhere when it is None."""
        first, *others = clean(self.text).split("\n")
        margin = " " * self.indent
        lines = [(margin, first), *((margin + "  ", other) for other in others)]
        if width is None or self.whole:
            return [indent + text for indent, text in lines]
        room, deeper = max(width, _NARROWEST), " " * self.hang
        return [piece for indent, text in lines for piece in wrapped(text, room, indent, indent + deeper)]


def wrapped(text: str, width: int, first: str = "", later: str = "") -> list[str]:
    """
    Break at blanks outside commands; what is longer than the width is left to the terminal, to be copied.

    `first` stands before the first piece, `later` before the others.
    """
    if len(first) + len(text) <= width:
        return [first + text]
    glued = _COMMAND.sub(lambda command: command[0].replace(" ", _GLUE), text)
    pieces = textwrap.wrap(
        glued,
        width,
        initial_indent=first,
        subsequent_indent=later,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [piece.replace(_GLUE, " ") for piece in pieces]
