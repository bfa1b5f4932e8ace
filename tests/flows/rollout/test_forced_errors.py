"""An error that nobody foresaw tells no value of a secret, whatever it quotes, wherever in a rollout it comes up."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import pytest

from model.kubernetes.manifests import Manifest
from model.rollout.readiness import readiness
from model.site.load import load_site
from remote.strict_apply import apply_strictly
from tasks.secrets.store import open_store
from tests.flows.rollout.stage import SPACE, Stage
from tests.flows.secret_site import everything_in, leaks

_SECRETS = """
secrets:
  - {name: rollout-hash, title: a, namespace: space, consumers: [ground], keys: {key: {kind: hex}}}
  - {name: redis, title: a, namespace: space, consumers: [ground], keys: {password: {kind: password}}}
  - {name: synapse, title: a, namespace: space, consumers: [ground], keys: {signing: {kind: signing-key}}}
"""
_PASSWORD, _SIGNING = "@@secret:redis/password@@", "@@secret:synapse/signing@@"
# A value stands in base64 at each of the three places where it may begin.
_TEXTS = {
    "plain": _PASSWORD,
    "url": f"redis://:{_PASSWORD}@redis:6379/0",
    "file": f"a: {_PASSWORD}\nb: x{_PASSWORD}y\nc: xy{_PASSWORD}\n",
    "signing": _SIGNING,
    "behind": f"#{_SIGNING}#",
    "beside": f"##{_SIGNING}",
}
_SECRET: Manifest = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "own", "namespace": "space", "labels": {"app.kubernetes.io/managed-by": "matrix-fleet"}},
    "stringData": _TEXTS,
}


class Quoting:
    """Raises an error that quotes a filled Secret in every way in which a library may."""

    def __init__(self) -> None:
        self.words = ""

    def fail(self, manifest: Manifest) -> NoReturn:
        plain = [base64.b64decode(text) for text in manifest["data"].values()]
        others = [form(text) for text in plain for form in (bytes.decode, repr, bytes.hex, quote)]
        self.words = f"no place for {manifest}, {others}, and {base64.b64encode(b'-' + plain[0]).decode()}"
        try:
            raise ValueError(self.words)
        except ValueError as error:
            raise LookupError(f"{self.words} again") from error


@pytest.fixture
def quoting() -> Quoting:
    return Quoting()


@pytest.fixture
def filled(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage with a Secret that holds values, in a process that has read none yet."""
    monkeypatch.setattr("model.rollout.veil._REMEMBERED", set())
    (stage.folder / "secrets.yaml").write_text(_SECRETS, "utf-8")
    stage.objects["ground"] = [SPACE, _SECRET]
    return stage


def values(stage: Stage) -> Iterator[bytes]:
    store = open_store(load_site(stage.folder))
    for realm in store.readable():
        for kept in store.document(realm).secrets.values():
            yield from (value.value.get_secret_value() for value in kept.values)


def planned_or_applied(quoting: Quoting) -> Callable[..., Manifest]:
    def apply(cluster: Any, manifest: Manifest, **more: bool) -> Manifest:
        if manifest["kind"] == "Secret":
            quoting.fail(manifest)
        return apply_strictly(cluster, manifest, **more)

    return apply


def looked_at(quoting: Quoting) -> Callable[[Manifest], object]:
    def judge(live: Manifest) -> object:
        if live["kind"] == "Secret":
            quoting.fail(live)
        return readiness(live)

    return judge


@pytest.mark.parametrize(
    ("place", "breaks"),
    [
        ("tasks.rollout.planning.apply_strictly", planned_or_applied),
        ("tasks.rollout.applying.apply_strictly", planned_or_applied),
        ("tasks.rollout.waiting.readiness", looked_at),
    ],
)
def test_no_value_is_in_anything_that_is_told_of_an_unforeseen_error(
    filled: Stage,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    quoting: Quoting,
    place: str,
    breaks: Callable[[Quoting], Any],
) -> None:
    monkeypatch.setattr(place, breaks(quoting))
    events = tmp_path / "events"
    filled.events = str(events)
    code, report = filled.run(verbose=True)
    heard = capfd.readouterr()
    (outcome,) = [row for row in report["outcomes"] if row["message"].startswith("unforeseen: LookupError")]
    assert (code, outcome["status"]) == (1, "failed")
    assert "Traceback" in heard.err
    assert "ValueError: no place for" in heard.err
    assert leaks(values(filled), {"quoted": quoting.words.encode()}), "there was something to tell"
    places = {"out": heard.out.encode(), "err": heard.err.encode(), "events": events.read_bytes()}
    assert leaks(values(filled), places | everything_in(filled.folder)) == []


def test_a_gate_that_falls_over_what_it_was_given_tells_no_value(
    filled: Stage, capfd: pytest.CaptureFixture[str], quoting: Quoting
) -> None:
    place = "/api/v1/namespaces/space/secrets/own"
    filled.gates["ground"] = lambda _context: quoting.fail(filled.api.get(place))
    code, report = filled.run(verbose=True)
    heard = capfd.readouterr()
    assert code == 3
    assert any("unforeseen: LookupError" in row["message"] for row in report["outcomes"])
    assert leaks(values(filled), {"quoted": quoting.words.encode()}), "there was something to tell"
    places = {"out": heard.out.encode(), "err": heard.err.encode()}
    assert leaks(values(filled), places | everything_in(filled.folder)) == []
