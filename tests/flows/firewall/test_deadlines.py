"""No host can hold up a run of the firewall for ever, and none is given up while a change could still end well."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from flows._firewall import adopt, apply, order, restore
from flows._firewall.change import WORKERS, to_change, to_look
from tasks.firewall_session import INSTALL_SECONDS, SECONDS


def test_patience_covers_the_hold_the_install_and_every_turn() -> None:
    assert to_change(1, 60) == to_change(1, 0) + 60
    assert to_change(1, 0, installs=True) == to_change(1, 0) + INSTALL_SECONDS
    assert to_change(WORKERS + 1, 60) == 2 * to_change(WORKERS, 60)
    assert to_change(1, 0) > 6 * SECONDS
    assert to_look(1) > 2 * SECONDS


def _apply(context: Any) -> object:
    return apply.apply(None, context, ("db-1",), purge=False, hold=60)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("module", "begin", "expected"),
    [
        (apply, _apply, [to_look(1), to_change(0, 60)]),
        (restore, lambda context: restore.restore(context, 60), [to_look(1), to_change(0, 60)]),
        (adopt, adopt.take_over, [to_look(1)]),
    ],
)
def test_every_round_has_a_deadline(
    monkeypatch: pytest.MonkeyPatch, module: Any, begin: Any, expected: list[float]
) -> None:
    deadlines: list[float | None] = []

    def run_on_hosts(*_: Any, deadline: float | None = None, **__: Any) -> dict[str, Any]:
        deadlines.append(deadline)
        return {}

    for name, fake in (
        ("run_on_hosts", run_on_hosts),
        ("inventory", lambda _: None),
        ("sessions", nullcontext),
        ("closing", lambda _: nullcontext()),
        ("close", lambda _: None),
        ("servers", lambda _: ("db-1",)),
        ("roles", lambda _: {}),
    ):
        monkeypatch.setattr(module, name, fake, raising=False)
    monkeypatch.setattr(order, "run_on_hosts", run_on_hosts)
    context: Any = SimpleNamespace(
        site=SimpleNamespace(rows=()),
        options=SimpleNamespace(inventory=None, dry_run=False),
        progress=lambda *_: nullcontext(lambda _: None),
        awaiting=lambda *_: nullcontext(),
        keep=lambda *_: None,
    )
    begin(context)
    assert deadlines == expected
