"""What passes between the plumbing of a flow and its own work?"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

from flows._run.options import Options
from flows._run.screen import Advance, Screen
from model.report.outcome import GOOD, Outcome
from model.report.report import Cell
from model.site.site import Site


@dataclass(frozen=True, slots=True)
class FlowResult:
    """
    What a flow's body found out; the rest of the report is the same for every flow.

    `hosts` are those that must be heard of (None: all selected); `forced` an exit code beyond what outcomes say;
    `extra` the flow's own keys of the report.
    """

    outcomes: tuple[Outcome, ...] = ()
    hosts: tuple[str, ...] | None = None
    cells: tuple[Cell, ...] | None = None
    probes: int | None = None
    loss: int | None = None
    forced: int = GOOD
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a flow's body works with; `hosts` are the selected names in the inventory's order, `started` is in UTC."""

    site: Site
    options: Options
    hosts: tuple[str, ...]
    started: datetime
    screen: Screen
    kept: list[Outcome]

    def say(self, line: str) -> None:
        """Tell a person what is going on, on standard error; silent with --quiet and `--json -`."""
        self.screen.say(line)

    def progress(self, total: float | None, label: str) -> AbstractContextManager[Advance]:
        """Show a bar on a terminal while a block runs; call what it yields with the number of steps just done."""
        return self.screen.progress(total, label)

    def keep(self, *outcomes: Outcome) -> None:
        """Put outcomes into the report even if the body ends by an exception or an interrupt."""
        self.kept.extend(outcomes)
