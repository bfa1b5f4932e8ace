"""What a person sees. The only module that prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from flows._render.document import Document
from flows._render.summary import Line, summary
from flows._render.words import printable
from flows._run.options import Options
from flows._run.streams import broken

Advance = Callable[[int], None]
Level = Literal["info", "error"]
_Lines = Callable[[], Sequence[str]]
Listener = Callable[[Level, str], None]


class Screen:
    """
    Standard output and standard error of one run, as its flags want them.

    Standard output carries the summary or, with `--json -`, the report alone; progress and errors go to standard error.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.out = _console(sys.stdout, options)
        self.err = _console(sys.stderr, options)
        self.shown: set[str] = set()
        self.listeners: list[Listener] = []

    @property
    def calm(self) -> bool:
        """True when only errors are wanted."""
        return self.options.quiet or self.options.json_on_stdout

    @property
    def draws(self) -> bool:
        """True where progress is a bar on a terminal."""
        return not self.calm and self.err.is_terminal

    def say(self, line: str) -> None:
        """Tell what is going on, on standard error; nothing when calm. Whoever listens hears it in any case."""
        self._hear("info", line)
        if not self.calm:
            _print(self.err, Line(line))

    def note(self, line: str) -> None:
        """Have whoever listens hear what is shown in another way."""
        self._hear("info", line)

    def error(self, message: str, step: str = "") -> None:
        """Tell why the run cannot go on; the summary will not say it again."""
        self.shown.add(message)
        self._hear("error", f"{message}\n  next: {step}" if step else message)
        for number, line in enumerate(message.splitlines() or [""]):
            _print(self.err, Line(line, "red") if number else Line(f"error: {line}", "bold red"))
        if step:
            _print(self.err, Line(f"next: {step}", indent=2))

    def summary(self, report: Document, folder: Path | None) -> None:
        """Show what came of the run; when calm only its verdict, on standard error, and only if it is not good."""
        lines = summary(report, folder, self.options.verbose, self.shown)
        self._hear("info", "\n".join(f"{' ' * line.indent}{line.text}" for line in lines))
        if not self.calm:
            for line in lines:
                _print(self.out, line)
        elif self.options.quiet and report["exit"] and lines:
            _print(self.err, lines[0])

    def text(self, text: str) -> None:
        """Write finished text, such as JSON, to standard output as it is; `unread` tells afterwards if it arrived."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def value(self, text: str) -> None:
        """Write what a program may take as it is to standard output; from then on all else goes to standard error."""
        self.out = self.err
        self.text(text)

    @property
    def unread(self) -> bool:
        """True when nobody takes what is written to standard output."""
        return broken(sys.stdout) is not None

    def lines(self, lines: list[Line]) -> None:
        """Show lines on standard output."""
        for line in lines:
            _print(self.out, line)

    @contextmanager
    def progress(self, total: float | None, label: str | Callable[[], str], below: _Lines = tuple) -> Iterator[Advance]:
        """
        Show a bar on a terminal while the block runs, and under it the lines that `below` returns each time.

        `total` None is of unknown length; a label may change.
        """
        if not self.draws:
            yield lambda _steps: None
            return
        text = _Label(label) if callable(label) else TextColumn("{task.description}")
        columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with _Bar(*columns, console=self.err, transient=True, below=below) as bar:
            task = bar.add_task("" if callable(label) else label, total=total)
            yield lambda steps: bar.advance(task, steps)

    def _hear(self, level: Level, text: str) -> None:
        for listener in self.listeners:
            listener(level, text)


class _Bar(Progress):
    """A bar with lines under it, each cut at the terminal's width."""

    def __init__(self, *columns: ProgressColumn, console: Console, transient: bool, below: _Lines) -> None:
        self._below = below
        super().__init__(*columns, console=console, transient=transient)

    def get_renderables(self) -> Iterator[RenderableType]:
        """Yield the bar, then the lines as they are now."""
        yield from super().get_renderables()
        for line in self._below():
            yield Text(f"  {printable(line)}", no_wrap=True, overflow="ellipsis")


class _Label(ProgressColumn):
    """A label that is asked for its text each time it is drawn."""

    def __init__(self, text: Callable[[], str]) -> None:
        super().__init__()
        self._text = text

    def render(self, _task: Task) -> Text:
        return Text(self._text())


def _console(stream: object, options: Options) -> Console:
    return Console(
        # Streams of tests and of the terminal alike: rich asks for more than it uses.
        file=stream,  # type: ignore[arg-type]
        no_color=True if options.no_color else None,
        highlight=False,
        markup=False,
        emoji=False,
    )


def _print(console: Console, line: Line) -> None:
    """Print a line, folded at the terminal's width under its own indent; as one line into files and pipes."""
    width = console.width if console.is_terminal else None
    style = line.style if console.is_terminal else ""
    for part in line.folded(width, printable):
        console.print(part, style=style, soft_wrap=True)
