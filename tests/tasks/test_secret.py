"""Claims about secrets that hosts share: made once, never two, readable by root alone."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from model.errors import HostError
from tasks import secret
from tests.tasks.local import here

FIRST: Any = SimpleNamespace(name="cp-1")
SECOND: Any = SimpleNamespace(name="cp-2")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here(monkeypatch)
    monkeypatch.setattr(secret, "FOLDER", str(tmp_path / "secrets"))
    return tmp_path / "secrets"


def test_a_secret_is_made_by_the_host_kept_and_read_again(folder: Path) -> None:
    created = secret.make(FIRST, "key", 32)
    assert len(base64.b64decode(created.get_secret_value())) == 32
    assert secret.read(FIRST, "key") == created
    assert (folder / "key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_two_are_never_the_same(folder: Path) -> None:
    assert secret.make(FIRST, "a", 32) != secret.make(FIRST, "b", 32)


def test_one_that_is_not_there_is_none(folder: Path) -> None:
    assert secret.read(FIRST, "key") is None


def test_it_is_in_no_argument_and_no_text(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from remote import shell

    seen: list[str] = []
    run: Any = shell.run

    def watched(host: Any, argv: Any, **how: Any) -> Any:
        seen.append(" ".join(argv))
        return run(host, argv, **how)

    monkeypatch.setattr("remote.shell.run", watched)
    secret.keep(FIRST, "key", SecretStr("chrysanthemum"))
    assert secret.read(FIRST, "key") == SecretStr("chrysanthemum")
    assert "chrysanthemum" not in " ".join(seen)
    assert "chrysanthemum" not in repr(secret.read(FIRST, "key"))


@pytest.mark.parametrize(
    ("kept", "expected"),
    [({}, "made"), ({"cp-1": "old"}, "old"), ({"cp-2": "old"}, "old"), ({"cp-1": "old", "cp-2": "old"}, "old")],
)
def test_hosts_share_the_one_that_any_of_them_has(
    monkeypatch: pytest.MonkeyPatch, kept: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr(secret, "read", lambda host, _: SecretStr(kept[host.name]) if host.name in kept else None)
    monkeypatch.setattr(secret, "make", lambda *_: SecretStr("made"))
    given: dict[str, str] = {}
    monkeypatch.setattr(secret, "keep", lambda host, _, value: given.update({host.name: value.get_secret_value()}))
    assert secret.shared([FIRST, SECOND], "key", 32) == SecretStr(expected)
    assert given == {host: expected for host in ("cp-1", "cp-2") if host not in kept}


def test_two_different_ones_are_nobodys_to_choose_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret, "read", lambda host, _: SecretStr(host.name))
    with pytest.raises(HostError, match="cp-1, cp-2 keep different secrets"):
        secret.shared([FIRST, SECOND], "key", 32)
