"""Claims about Synapse's own check on a node: what it is given, what its silence means, what stays there."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model.rollout.synapse.check_files import check_files
from tasks.application_images import PinnedReference
from tasks.rollout import synapse_check
from tasks.rollout.synapse_check import SynapseVerdict, checked_in_image, judged_here
from tests.model.rollout.synapse.synapse_sites import VERSION, rendered, running, site, table
from tests.tasks.local import here

HOST: Any = SimpleNamespace(name="w-1")
IMAGE = "docker.io/matrixdotorg/synapse:v1.163.2"
PINNED = PinnedReference(f"{IMAGE}@sha256:{'a' * 64}")
SITE = site("small")
FILES = check_files(rendered(SITE, "synapse"), running(SITE))
ACCEPTED = {"version": VERSION, "complaints": dict.fromkeys(FILES.asked, "")}
DUMP = (Path(synapse_check.__file__).parents[2] / f"model/rollout/synapse/routes-{VERSION}.json").read_text()
_PROGRAM = """#!{python}
import json, os, sys
from pathlib import Path

answers = json.loads(Path({answers!r}).read_text())
words = sys.argv[3:]
if words[0] != "run":
    sys.exit(1)
mounts = {{}}
for word in words:
    if word.startswith("type=bind"):
        fields = dict(field.split("=", 1) for field in word.split(","))
        mounts[fields["src"]] = fields["dst"]
seen = {{}}
for source, target in mounts.items():
    for path in Path(source).rglob("*"):
        if path.is_file():
            seen[target + "/" + str(path.relative_to(source))] = [oct(path.stat().st_mode & 0o777), path.read_text()]
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(seen) + "\\n")
kind = "routes" if words[-1].endswith("route_dump.py") else "config"
print("level=warning msg=old", file=sys.stderr)
print(answers.get(kind + "-error", ""), file=sys.stderr)
print(answers[kind], end="")
sys.exit(answers.get(kind + "-code", 0))
"""


class FakeImage:
    """A containerd whose containers answer as a test says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._answers, self._calls, self.run = folder / "answers", folder / "calls", folder / "run"
        self._calls.write_text("")
        self.run.mkdir()
        script = folder / "script.sh"
        script.write_text(synapse_check.SCRIPT.read_text().replace("/run/", f"{self.run}/"))
        monkeypatch.setattr(synapse_check, "SCRIPT", script)
        program = folder / "bin/ctr"
        program.parent.mkdir()
        program.write_text(_PROGRAM.format(python=sys.executable, answers=str(self._answers), calls=str(self._calls)))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        self.answer()

    def answer(self, config: object = ACCEPTED, routes: str = DUMP, **more: object) -> None:
        """Let it answer this."""
        text = config if isinstance(config, str) else json.dumps(config)
        changed = {key.replace("_", "-"): value for key, value in more.items()}
        self._answers.write_text(json.dumps({"config": text, "routes": routes, **changed}))

    @property
    def calls(self) -> list[Mapping[str, tuple[str, str]]]:
        """The files of each container that ran: mode and text."""
        return [json.loads(line) for line in self._calls.read_text().splitlines()]


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeImage:
    here(monkeypatch)
    return FakeImage(tmp_path, monkeypatch)


def ask(state: Path, image: PinnedReference = PINNED) -> SynapseVerdict:
    return checked_in_image(HOST, image, rendered(SITE, "synapse"), running(SITE), table(), state)


def test_what_synapse_accepts_is_good_and_not_asked_again(image: FakeImage, tmp_path: Path) -> None:
    assert ask(tmp_path / "state") == SynapseVerdict()
    assert len(image.calls) == 2
    assert ask(tmp_path / "state") == SynapseVerdict(cached=True)
    assert len(image.calls) == 2


def test_another_image_under_the_same_tag_is_asked_anew(image: FakeImage, tmp_path: Path) -> None:
    ask(tmp_path / "state")
    image.answer(routes=DUMP.replace("SyncRestServlet", "OtherServlet"))
    assert ask(tmp_path / "state").good, "the same image"
    other = ask(tmp_path / "state", PinnedReference(f"{IMAGE}@sha256:{'b' * 64}"))
    assert not other.cached
    assert other.routes


def test_where_no_digest_is_known_the_tag_counts(image: FakeImage, tmp_path: Path) -> None:
    ask(tmp_path / "state", PinnedReference(IMAGE))
    assert ask(tmp_path / "state", PinnedReference(IMAGE)).cached
    assert not ask(tmp_path / "state", PinnedReference(f"{IMAGE}-1")).cached
    assert len(image.calls) == 4


def test_it_is_given_every_file_of_a_process_and_no_secret(image: FakeImage, tmp_path: Path) -> None:
    ask(tmp_path / "state")
    seen = image.calls[0]
    for paths in FILES.asked.values():
        assert set(paths) <= seen.keys()
    secrets = {path: text for path, (_, text) in seen.items() if "secrets/" in path}
    assert len(secrets) == 6
    assert set(secrets.values()) == {"stands-in-for-a-secret", f"ed25519 a_check {'A' * 43}\n"}
    assert {mode for mode, _ in seen.values()} == {"0o600"}


def test_nothing_stays_on_the_node(image: FakeImage, tmp_path: Path) -> None:
    ask(tmp_path / "state")
    image.answer(config_code=1)
    ask(tmp_path / "other")
    assert list(image.run.iterdir()) == []


def test_what_synapse_refuses_is_named_and_kept(image: FakeImage, tmp_path: Path) -> None:
    complaints = {**dict.fromkeys(FILES.asked, ""), "synapse-sync-0": "no writer"}
    image.answer({"version": VERSION, "complaints": complaints})
    for _ in range(2):
        assert ask(tmp_path / "state").complaints == ("synapse-sync-0: Synapse refuses it: no writer",)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"config": ""}, "printed nothing"),
        ({"config": {"version": VERSION, "complaints": {}}}, "spoke of nobody"),
        ({"config_code": 1, "config_error": "ctr: image not found"}, "ctr: image not found"),
        ({"routes": '{"version": "1", "routes": [], "trees": []}'}, "routes is empty"),
        ({"routes_code": 1}, "it said nothing"),
    ],
)
def test_silence_is_no_approval(answer: dict[str, Any], why: str, image: FakeImage, tmp_path: Path) -> None:
    image.answer(**answer)
    verdict = ask(tmp_path / "state")
    assert not verdict.good
    assert why in verdict.unproven[0]
    image.answer()
    assert ask(tmp_path / "state").good, "what was not answered is asked again"


def test_other_routes_in_the_image_are_told(image: FakeImage, tmp_path: Path) -> None:
    image.answer(routes=DUMP.replace("SyncRestServlet", "OtherServlet"))
    assert any("OtherServlet" in sentence for sentence in ask(tmp_path / "state").routes)


def test_our_own_rules_need_no_image() -> None:
    assert judged_here(rendered(SITE, "synapse"), running(SITE), VERSION).good
    unknown = judged_here(rendered(SITE, "synapse"), running(SITE), "1.99.0")
    assert not unknown.good
    assert "nobody has kept the settings of Synapse 1.99.0" in unknown.unproven[0]
