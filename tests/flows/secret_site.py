"""A site with a store of its own, and everything that a flow leaves, searched for its values."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from flows import secrets
from flows._run.cli import execute
from flows._run.folder import runs
from model.site.load import load_site
from tasks.private_file import write_private
from tasks.secrets.identity import VARIABLE, make_identity, read_identity
from tasks.secrets.store import SecretStore, open_store
from tests.flows.plumbing import site as reference_site

# What a store holds that was filled, by file name, and its key.
_FILLED: dict[str, bytes] = {}


class SecretSite:
    """A copy of the reference site, and the key that opens its store."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(folder / "home"))
        self.folder = reference_site(folder)
        self.key = folder / "identity"
        self.recipient = make_identity(self.key).recipient
        monkeypatch.setenv(VARIABLE, str(self.key))

    def fill(self) -> None:
        """Let the store have every secret: once made, they are copied, for RSA keys take long to find."""
        if not _FILLED:
            assert self.run("generate", "--quiet")[0] == 0
            _FILLED.update(everything_in(self.folder / "secrets"), key=self.key.read_bytes())
            return
        (self.folder / "secrets").mkdir(mode=0o700)
        self.key.write_bytes(_FILLED["key"])
        self.recipient = read_identity(self.key).recipient
        for name, content in _FILLED.items():
            if name != "key":
                write_private(self.folder / "secrets" / Path(name).name, content)

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run the flow; return its exit code and its report."""
        code = execute(secrets.main, "flows.secrets", [*arguments, "--inventory", str(self.folder)])
        kept = runs(self.folder, "secrets")
        return code, json.loads((kept[-1] / "report.json").read_text("utf-8")) if kept else {}

    @property
    def store(self) -> SecretStore:
        """The store as another run sees it."""
        return open_store(load_site(self.folder))

    def values(self) -> Iterator[bytes]:
        """Yield every value of the store, the ones that were replaced too."""
        for realm in self.store.readable():
            for kept in self.store.document(realm).secrets.values():
                yield from (value.value.get_secret_value() for value in (kept.current, *kept.former))


def forms(value: bytes) -> set[bytes]:
    """Return what a value looks like where it stands plain, in base64, in hex, in a URL and in JSON."""
    lines = [line for line in value.strip().splitlines() if len(line) >= 16] or [value.strip()]
    found: set[bytes] = set()
    for text in (value, value.strip(), *lines):
        # Three ways in which base64 may fall on text within a longer one.
        coded = {base64.b64encode(text[start:])[: 4 * (len(text[start:]) // 3)] for start in range(3)}
        found |= {text, *coded, text.hex().encode(), quote(text, safe="").encode()}
        found.add(json.dumps(text.decode("utf-8", "replace"))[1:-1].encode())
    return found


def leaks(values: Iterator[bytes], places: dict[str, bytes]) -> list[str]:
    """Return the names of the places in which any value stands in any form."""
    needles = {needle for value in values for needle in forms(value)}
    return sorted(name for name, content in places.items() if any(needle in content for needle in needles))


def everything_in(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
