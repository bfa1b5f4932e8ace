"""Each object that is not ready has a line of its own: live on a terminal, and only what changes of it elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from flows._rollout import progress
from flows._rollout.progress import RolloutProgress
from flows._run.context import Context
from flows._run.options import Options
from flows._run.screen import Screen
from model.rollout.keys import ObjectKey
from model.rollout.trouble import Trouble, TroubleKind
from tasks.rollout.waiting import Unready
from tests.mutation import loaded

SINCE = datetime(2026, 1, 1, 4, 10, 5, tzinfo=UTC)


def unready(name: str, seconds: float = 60.0, **more: Any) -> Unready:
    key = ObjectKey("apps", "Deployment", "matrix", name)
    told = {
        "why": "1 wanted, 0 of them ready",
        "event": "Pulling: image x",
        "container": f"{name}-1/main: ErrImagePull",
    }
    return Unready(key=key, seconds=seconds, since=SINCE, **(told | more))


class Told:
    """A progress, what it prints, and what the run's log hears."""

    def __init__(self, *, terminal: bool) -> None:
        self.screen = Screen(Options(inventory=Path("x")))
        self.printed = io.StringIO()
        self.screen.err = Console(file=self.printed, force_terminal=terminal, width=200, height=50)
        self.logged: list[str] = []
        self.screen.listeners.append(lambda _level, text: self.logged.append(text))
        context = Context(
            site=loaded(),
            options=self.screen.options,
            hosts=(),
            started=SINCE,
            screen=self.screen,
            kept=[],
        )
        self.progress = RolloutProgress(context)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PAUSE", 0.0)


def test_a_line_says_condition_event_container_and_since_when() -> None:
    told = Told(terminal=False)
    told.progress.waiting("web", [unready("a")])
    line = (
        "web: waiting for Deployment matrix/a: 1 wanted, 0 of them ready; container a-1/main: ErrImagePull; "
        "last event Pulling: image x; since 04:10:05 UTC, 60 s"
    )
    assert told.printed.getvalue().splitlines() == told.logged == [line]


def test_every_object_has_its_line_under_the_bar_as_it_is_now() -> None:
    told = Told(terminal=True)
    with told.progress.shown(2):
        told.progress.waiting("one", [unready("a"), unready("b")])
        told.progress.waiting("two", [unready("c", why="Pending")])
        lines = told.progress.lines()
    assert [line.split(":")[:2] for line in lines] == [
        ["one", " Deployment matrix/a"],
        ["one", " Deployment matrix/b"],
        ["two", " Deployment matrix/c"],
    ]
    shown = told.printed.getvalue()
    for line in lines:
        assert f"  {line}" in shown
    assert "one: waiting for 2 objects; two: waiting for 1 object" in shown
    # The log has them, though nobody prints them over the bar.
    assert len(told.logged) == 3
    assert not any(line in shown for line in told.logged)


def test_what_is_ready_or_ended_has_no_line_any_more() -> None:
    told = Told(terminal=True)
    ends: tuple[Callable[[], None], ...] = (
        lambda: told.progress.waiting("one", ()),
        lambda: told.progress.doing("one", ""),
    )
    for end in ends:
        told.progress.waiting("one", [unready("a")])
        assert told.progress.lines()
        end()
        assert told.progress.lines() == []


def test_too_many_are_counted() -> None:
    told = Told(terminal=False)
    many = [unready(f"n{number}") for number in range(progress._MOST + 3)]
    told.progress.waiting("web", many)
    assert len(told.progress.lines()) == progress._MOST + 1
    assert told.progress.lines()[-1] == "and 3 more"
    printed = told.printed.getvalue().splitlines()
    assert len(printed) == progress._MOST + 1
    assert printed[-1] == "web: waiting for 3 more"


def test_where_nobody_draws_only_changes_are_said() -> None:
    told = Told(terminal=False)
    for seconds in range(6, 400):
        told.progress.waiting("web", [unready("a", seconds)])
    assert len(told.logged) == 1
    told.progress.waiting("web", [unready("a", 400.0, event="Failed: no such image")])
    assert len(told.printed.getvalue().splitlines()) == 2
    assert "no such image" in told.logged[-1]


def test_who_has_just_begun_to_wait_says_nothing_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PAUSE", 5.0)
    told = Told(terminal=False)
    told.progress.waiting("web", [unready("a", 1.0)])
    assert told.logged == []
    told.progress.waiting("web", [unready("a", 6.0)])
    # Another word so soon is kept for later.
    told.progress.waiting("web", [unready("a", 6.5, why="another")])
    assert len(told.logged) == 1


def test_a_trouble_that_neither_says_is_told_and_what_is_long_is_cut() -> None:
    pending = Trouble(kind=TroubleKind.UNSCHEDULABLE, about="Pod a", words="0/3 nodes", next_step="x")
    line = unready("a", troubles=(pending,), event="", container="").line
    assert "; unschedulable: Pod a: 0/3 nodes; since" in line
    assert "..." in unready("a", event="long\n" * 200).line
    assert len(unready("a", event="long\n" * 200).line) < 500
    assert "\n" not in unready("a", event="long\n" * 200).line
