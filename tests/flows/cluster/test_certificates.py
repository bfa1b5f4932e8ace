"""An account of no certificates is no good one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows import certificates
from flows._run.cli import execute
from model.host.certificate import Certificate
from tests.flows.plumbing import site


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Certificate, ...]]:
    """Hosts that answer with these certificates, all others with none."""
    certificates_of: dict[str, tuple[Certificate, ...]] = {}

    @contextmanager
    def at_work(_context: Any, _flow: str, names: tuple[str, ...], **_: Any) -> Iterator[Any]:
        yield SimpleNamespace(nr=None, hosts=names, lost={})

    def run_on_hosts(_nr: Any, _task: Any, *, names: tuple[str, ...], **_: Any) -> dict[str, Any]:
        return {name: certificates_of.get(name, ()) for name in names}

    monkeypatch.setattr("flows._cluster.certificates.at_work", at_work)
    monkeypatch.setattr("flows._cluster.certificates.run_on_hosts", run_on_hosts)
    return certificates_of


def _status(folder: Path, *words: str) -> int:
    return execute(certificates.main, "flows.certificates", ("status", "--inventory", str(folder), *words))


def test_without_a_cluster_nothing_is_proven_and_the_exit_code_says_so(
    tmp_path: Path, held: dict[str, tuple[Certificate, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = site(tmp_path)
    for words in ((), ("--limit", "w-1")):
        assert _status(folder, *words) == 3
        shown = capsys.readouterr().out
        assert "nothing was looked at" in shown
        assert "flows.bootstrap" in shown


def test_some_members_are_an_account(tmp_path: Path, held: dict[str, tuple[Certificate, ...]]) -> None:
    held["cp-1"] = (_certificate(),)
    folder = site(tmp_path)
    assert _status(folder) == 0
    assert _status(folder, "--limit", "w-1,w-2") == 3


def test_hosts_that_are_to_be_no_nodes_are_a_wrong_selection(
    tmp_path: Path, held: dict[str, tuple[Certificate, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _status(site(tmp_path), "--limit", "vantage-1") == 1
    assert "--limit vantage-1" in capsys.readouterr().err


def _certificate() -> Certificate:
    now = datetime.now(UTC)
    return Certificate(
        path="/etc/kubernetes/pki/apiserver.crt",
        subject="CN=kube-apiserver",
        issuer="CN=kubernetes",
        serial=1,
        since=now,
        until=now + timedelta(days=300),
        authority=False,
    )
