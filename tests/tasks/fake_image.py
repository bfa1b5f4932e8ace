"""A containerd whose images answer as a test says, and which keeps what nobody removes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tasks.rollout import synapse_check

# Stricter than containerd: each thing goes by its own command alone, and only when nothing stands on it any more.
_PROGRAM = """#!{python}
import json, signal, sys
from pathlib import Path

answers = json.loads(Path({answers!r}).read_text())
kept = Path({kept!r})
words = sys.argv[3:]


def place(kind, name):
    return kept / kind / name


def remove(kind, name, *standing_on_it):
    if not place(kind, name).exists() or any(place(above, name).exists() for above in standing_on_it):
        sys.exit(1)
    place(kind, name).unlink()


def make(kind, name):
    place(kind, name).parent.mkdir(exist_ok=True)
    place(kind, name).write_text("running")
    if answers.get("dies-after") == kind:
        sys.exit(1)
    if answers.get("hangs-after") == kind:
        while True:
            signal.pause()


if words[:2] == ["tasks", "kill"]:
    # It has not ended yet when this returns.
    sys.exit(0 if place("tasks", words[-1]).exists() else 1)
if words[:2] == ["tasks", "delete"]:
    if "--force" not in words and place("tasks", words[-1]).exists():
        sys.exit(1)
    remove("tasks", words[-1])
    sys.exit(0)
if words[:2] == ["containers", "rm"]:
    remove("containers", words[-1], "tasks")
    sys.exit(0)
if words[:2] == ["snapshots", "rm"]:
    remove("snapshots", words[-1], "tasks", "containers")
    sys.exit(0)
if words[0] != "run":
    sys.exit(1)
mounts, seen, rest = {{}}, {{}}, words[1:]
while rest[0].startswith("--"):
    flag = rest.pop(0)
    value = rest.pop(0) if flag in ("--user", "--mount") else ""
    if flag == "--mount":
        fields = dict(field.split("=", 1) for field in value.split(","))
        mounts[fields["src"]] = fields["dst"]
name = rest[1]
for kind in ("snapshots", "containers", "tasks"):
    make(kind, name)
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
if "--rm" in words:
    for thing in ("tasks", "containers", "snapshots"):
        remove(thing, name)
sys.exit(answers.get(kind + "-code", 0))
"""


class FakeImage:
    """The node's containerd; `config` and `routes` are what its image answers first."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, config: object, routes: str) -> None:
        self._answers, self._calls, self._run = folder / "answers", folder / "calls", folder / "run"
        self._kept, self._config, self._routes = folder / "kept", config, routes
        self._calls.write_text("")
        self._run.mkdir()
        self._kept.mkdir()
        script = folder / "script.sh"
        script.write_text(synapse_check.SCRIPT.read_text().replace("/run/", f"{self._run}/"))
        monkeypatch.setattr(synapse_check, "SCRIPT", script)
        program = folder / "bin/ctr"
        program.parent.mkdir()
        paths = {"answers": str(self._answers), "calls": str(self._calls), "kept": str(self._kept)}
        program.write_text(_PROGRAM.format(python=sys.executable, **paths))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        self.answer()

    def answer(self, config: object = None, routes: str = "", **more: object) -> None:
        """
        Let it answer this. `dies_after` and `hangs_after` (`snapshots`, `containers`, `tasks`): `ctr run` comes so far.
        """
        config = self._config if config is None else config
        text = config if isinstance(config, str) else json.dumps(config)
        changed = {key.replace("_", "-"): value for key, value in more.items()}
        self._answers.write_text(json.dumps({"config": text, "routes": routes or self._routes, **changed}))

    @property
    def calls(self) -> list[Mapping[str, tuple[str, str]]]:
        """The files of each container that ran to its end: mode and text."""
        return [json.loads(line) for line in self._calls.read_text().splitlines()]

    @property
    def kept(self) -> list[str]:
        """The kinds of what containerd keeps."""
        return sorted(path.parent.name for path in self._kept.glob("*/*"))

    @property
    def left(self) -> list[str]:
        """The names of what is on the node: what containerd keeps, and folders."""
        return sorted(path.name for path in (*self._kept.glob("*/*"), *self._run.iterdir()))
