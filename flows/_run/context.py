"""What passes between the lifecycle of a flow and its own work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from flows._run.events import Events
from flows._run.options import Options
from flows._run.progress import HostsAwaited, Judge
from flows._run.screen import Advance, Screen
from model.report.outcome import GOOD, Outcome
from model.report.report import Cell
from model.site.site import Site


@dataclass(frozen=True, slots=True)
class FlowResult:
    """
    What a flow's body found out; the rest of the report is the same for every flow.

    `hosts` are those that must be heard of (None: all selected); `forced` an exit code beyond what outcomes say;
    `extra` the flow's own keys of the report. `refused`: nothing was looked at or done, so an earlier run's report
    stays the flow's latest.
    """

    outcomes: tuple[Outcome, ...] = ()
    hosts: tuple[str, ...] | None = None
    cells: tuple[Cell, ...] | None = None
    probes: int | None = None
    loss: int | None = None
    forced: int = GOOD
    extra: Mapping[str, object] = field(default_factory=dict)
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a flow's body works with; `hosts` are the selected names in the inventory's order, `started` is in UTC."""

    site: Site
    options: Options
    hosts: tuple[str, ...]
    started: datetime
    screen: Screen
    kept: list[Outcome]
    events: Events = field(default_factory=Events.nowhere)

    def say(self, line: str) -> None:
        """Tell a person what is going on, on standard error; silent with --quiet and `--json -`."""
        self.screen.say(line)

    def progress(self, total: float | None, label: str) -> AbstractContextManager[Advance]:
        """Show a bar on a terminal while a block runs; call what it yields with the number of steps just done."""
        return self.screen.progress(total, label)

    @contextmanager
    def awaiting(self, hosts: Sequence[str], step: str, judge: Judge | None = None) -> Iterator[HostsAwaited]:
        """
        Show how far a step over hosts is while the block runs; what it yields is the `watch` of
        `flows._fleet.hosts.run_on_hosts`.

        `judge` returns the outcomes of an answer that is none itself, for the events.
        """
        watch = HostsAwaited(hosts, step, self.events, judge)
        with watch.shown(self.screen):
            yield watch

    def keep(self, *outcomes: Outcome) -> None:
        """Put outcomes into the report even if the body ends by an exception or an interrupt."""
        self.kept.extend(outcomes)
