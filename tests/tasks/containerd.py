"""A containerd that is a file: its `ctr` as far as images go, a program of its own on the search path."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

_PROGRAM = """#!{python}
import json, sys, tarfile
from pathlib import Path

state = Path({state!r})
known = json.loads(state.read_text())
with open({calls!r}, "a") as calls:
    calls.write(" ".join(sys.argv[4:]) + "\\n")
verb, rest = sys.argv[4], sys.argv[5:]
if verb == "ls":
    print("REF TYPE DIGEST SIZE PLATFORMS LABELS")
    for name, (digest, labels) in known.items():
        print(name, "an/oci.manifest", digest, "1.0 MiB linux/amd64", ",".join(labels) or "-")
elif verb == "import":
    with tarfile.open(rest[0]) as tar:
        (listed,) = json.load(tar.extractfile("index.json"))["manifests"]
    known[listed["annotations"]["io.containerd.image.name"]] = [listed["digest"], []]
elif verb == "label":
    known[rest[0]][1] = sorted({{*known[rest[0]][1], rest[1]}})
elif verb == "tag":
    known[rest[2]] = [known[rest[1]][0], []]
elif verb == "pull":
    if "refused" in rest[-1]:
        sys.exit("ctr: failed to resolve: connection refused")
    known[rest[-1]] = [rest[-1].partition("@")[2], []]
state.write_text(json.dumps(known))
"""


class FakeContainerd:
    """What it has, and what it was asked."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._state, self._calls = folder / "state", folder / "calls"
        self.set({})
        self._calls.write_text("")
        program = folder / "bin/ctr"
        program.parent.mkdir()
        text = _PROGRAM.format(python=sys.executable, state=str(self._state), calls=str(self._calls))
        program.write_text(text)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    def set(self, images: dict[str, str]) -> None:
        """Let it have these images and no other."""
        self._state.write_text(json.dumps({name: [digest, []] for name, digest in images.items()}))

    @property
    def images(self) -> dict[str, tuple[str, bool]]:
        """Digest of each name, and whether the name is pinned."""
        known = json.loads(self._state.read_text())
        return {name: (digest, "io.cri-containerd.pinned=pinned" in labels) for name, (digest, labels) in known.items()}

    def asked(self) -> list[str]:
        """Return its calls since the last time."""
        calls = self._calls.read_text().splitlines()
        self._calls.write_text("")
        return calls
