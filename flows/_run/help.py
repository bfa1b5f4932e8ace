"""How `--help` is laid out: prose and tables follow the terminal's width, and no command is broken."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from flows._render.line import wrapped

# A block behind a line of this is a table, examples, or the first sentence; typer's own mark for it.
RAW = "\b"
_EXAMPLE = re.compile(r"Example: (?!.*\n)")
# Beside a table's first column a description needs this much room; with less it stands below.
_ROOM = 28
_WIDE = 78
_Formatter: Any = typer.Context.formatter_class


def laid_out(text: str, width: int, indent: int = 0) -> str:
    """Return a help text for a width: paragraphs filled, tables of `command   description` fitted, examples whole."""
    margin = " " * indent
    first, *others = re.split(r"\n{2,}", inspect.cleandoc(text))
    paragraphs = ["\n".join(wrapped(_joined(first), width, margin, margin))]
    return "\n\n".join([*paragraphs, *(_paragraph(other, width, margin) for other in others)])


def _paragraph(text: str, width: int, margin: str) -> str:
    if text.startswith(RAW):
        return "\n".join(margin + line for line in _table(text.lstrip(f"{RAW}\n").splitlines(), width - len(margin)))
    if _EXAMPLE.match(text):
        whole = margin + text
        return whole if len(whole) <= width else whole.replace("Example: ", f"Example:\n{margin}  ")
    return "\n".join(wrapped(_joined(text), width, margin, margin))


def _joined(text: str) -> str:
    return " ".join(text.replace(RAW, "").split())


def _table(lines: Sequence[str], width: int) -> Iterator[str]:
    """Yield a block's lines; descriptions stand behind two blanks or more, and below where there is no room."""
    rows = _rows(lines)
    column = max((len(left) for left, right in rows if right), default=0) + 2
    longest = max((len(word) for _, right in rows for word in right.split()), default=0)
    fits = width - column >= max(_ROOM, longest)
    for left, right in rows:
        if fits and right:
            yield from wrapped(right, width, f"{left:<{column}}", " " * column)
        else:
            below = " " * (len(left) - len(left.lstrip()) + 4)
            yield from (left, *(wrapped(right, width, below, below) if right else ()))


def _rows(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Return each line's parts; a line that begins under the description before it goes on with that."""
    rows: list[tuple[str, str]] = []
    under = 0
    for line in lines:
        margin = len(line) - len(line.lstrip())
        if under and margin == under:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {line.strip()}")
            continue
        # This pattern matches every line.
        left, gap, right = re.fullmatch(r"(\s*\S+(?: \S+)*)(\s*)(.*)", line).groups()  # type: ignore[union-attr]
        under = len(left + gap) if right else 0
        rows.append((left, right))
    return rows


# The base class is found through typer, whose types do not name it.
class Layout(_Formatter):  # type: ignore[misc]
    """typer's formatter, with texts laid out as above."""

    def write_text(self, text: str) -> None:
        self.write(laid_out(text, self.width, self.current_indent) + "\n")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write flags or commands with their texts, in a narrower column on a narrow terminal."""
        widest = max(len(name) for name, _ in rows)
        column = min(widest, col_max if self.width >= _WIDE else 24) + col_spacing + self.current_indent
        margin, later = " " * self.current_indent, " " * column
        for name, text in rows:
            beside = len(margin + name) + col_spacing <= column
            lines = wrapped(_joined(text), self.width, f"{margin + name:<{column}}" if beside else later, later)
            self.write("\n".join([*(() if beside else (margin + name,)), *lines]) + "\n")


class HelpContext(typer.Context):
    formatter_class = Layout


class HelpCommand(TyperCommand):
    context_class = HelpContext


class HelpGroup(TyperGroup):
    context_class = HelpContext

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        """Write each subcommand with its first sentence, whole."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, first_sentence(command.help)) for name, command in self.commands.items()])


class Application(typer.Typer):
    """A typer application whose commands lay their help out as above."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=HelpGroup, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Any:
        """Return typer's decorator for a command."""
        return super().command(name, **{"cls": HelpCommand, **settings})


def first_sentence(text: str | None) -> str:
    """Return a help text's first paragraph as one line."""
    return _joined(re.split(r"\n{2,}", inspect.cleandoc(text or ""))[0])
