"""A rules file that nobody can read is its host's failure, with file and line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows import firewall
from flows._run.cli import execute
from model.ufw.state import USER
from tests.flows.plumbing import site
from tests.tasks.scripted import facts

SSH = "### tuple ### allow tcp 22 0.0.0.0/0 any 10.20.0.0/24 in\n"


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("# mine\n", 0, "1 host is as declared"),
        ("allow 22\n", 3, "/etc/ufw/user.rules: line 1: no line of ufw's rules files: allow 22"),
        ("### tuple ### allow tcp 2\n", 3, "/etc/ufw/user.rules: line 1: no tuple of ufw's"),
    ],
)
def test_a_line_is_passed_over_or_named_and_is_never_a_bug(
    tmp_path: Path,
    line: str,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    host = facts(f"{line}{SSH}")
    host = replace(host, files={**host.files, USER[6]: ""})
    monkeypatch.setattr("flows._firewall.adopt.observe", lambda _: host)
    monkeypatch.setattr("flows._firewall.adopt.inventory", lambda _: SimpleNamespace())
    monkeypatch.setattr("flows._firewall.adopt.close", lambda _: None)
    monkeypatch.setattr("flows._firewall.adopt.run_on_hosts", _asked)
    assert (
        execute(firewall.main, "flows.firewall", ("adopt", "--inventory", str(site(tmp_path)), "--limit", "db-1"))
        == code
    )
    shown = capsys.readouterr()
    assert says in shown.out
    assert "bug" not in shown.out + shown.err


def _asked(_nr: object, task: object, *, names: tuple[str, ...], **_: object) -> dict[str, object]:
    from flows._fleet.failure import failure_of

    answers: dict[str, object] = {}
    for name in names:
        try:
            answers[name] = task(SimpleNamespace(name=name))  # type: ignore[operator]
        except Exception as error:  # noqa: BLE001 - as the real one does
            answers[name] = failure_of(name, error, 0.0)
    return answers
