"""Where a value of a secret stands, in whatever form: asked of `grep`, which has the values from memory alone."""

from __future__ import annotations

import base64
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

# What is planted to be found.
CONTROL = "standing by itself to be found"
_SHORTEST = 12
_MEMORY = "/dev/shm"  # noqa: S108 - no disk ever has the values


@dataclass(frozen=True)
class Search:
    """
    A file of patterns, each a form of one value, and the one value that is planted where it is sought. `clean` are
    texts of programs in which nothing was found.
    """

    file: Path
    control: bytes
    clean: set[bytes] = field(default_factory=set, repr=False)

    def in_text(self, text: bytes) -> bool:
        """Return whether a value stands in a text."""
        done = subprocess.run(
            ("grep", "-q", "-a", "-F", "-f", self.file), input=text, stdout=subprocess.DEVNULL, check=False
        )
        assert done.returncode in (0, 1), done.returncode
        return done.returncode == 0

    def in_files(self, *folders: Path) -> list[str]:
        """Return the names of files that hold a value; what a running program takes away meanwhile is passed over."""
        for folder in folders:
            assert any(folder.iterdir()), f"{folder} is empty: there is nothing to search"
        with tempfile.TemporaryDirectory(dir=_MEMORY) as planted:
            control = Path(planted) / "deep" / "control"
            control.parent.mkdir()
            control.write_bytes(b"before " + self.control + b" after")
            done = subprocess.run(
                ("grep", "-r", "-l", "-s", "-a", "-F", "-f", self.file, "-D", "skip", *folders, planted),
                capture_output=True,
                text=True,
                check=False,
            )
        found = done.stdout.splitlines()
        # 2: a file went away meanwhile. That all were looked at is what the control shows, which comes last.
        assert done.returncode in (0, 2), done.stderr
        assert str(control) in found, "grep did not find what was planted for it"
        return [name for name in found if name != str(control)]

    def in_processes(self) -> set[str]:
        """Return the names of programs of this machine, and so of every host, with a value in argv or environment."""
        texts: dict[str, bytes] = {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                words = b"".join((place / name).read_bytes() for name in ("cmdline", "environ"))
                if words not in self.clean:
                    texts[f"{(place / 'comm').read_text('utf-8').strip()} ({place.name})"] = words
            except OSError:
                continue
        if not texts or not self.in_text(_lines(b"\n".join(texts.values()))):
            self.clean.update(texts.values())
            return set()
        return {program for program, text in texts.items() if self.in_text(_lines(text))}


@dataclass(kw_only=True)
class Watch:
    """How often programs were looked at, and which showed a value of a secret."""

    looks: int = 0
    leaking: set[str] = field(default_factory=set)


@contextmanager
def watching(search: Search, pause: float = 0.5) -> Iterator[Watch]:
    """Look at all programs again and again while the block runs."""
    watch, ended = Watch(), threading.Event()

    def look() -> None:
        while not ended.is_set():
            watch.leaking |= search.in_processes()
            watch.looks += 1
            ended.wait(pause)

    with ThreadPoolExecutor(1, "watch") as pool:
        looking = pool.submit(look)
        try:
            yield watch
        finally:
            ended.set()
        # What went wrong while looking is raised here.
        looking.result(60)


@contextmanager
def searching(values: Mapping[str, bytes], control: bytes) -> Iterator[Search]:
    """Make a search for values and for a control; the file goes with it."""
    for name, value in values.items():
        assert any(_forms(value)), f"{name} is too short to be searched for"
    patterns = sorted({form for value in (*values.values(), control) for form in _forms(value)})
    handle, name = tempfile.mkstemp(dir=_MEMORY)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(b"\n".join(patterns) + b"\n")
        yield Search(Path(name), control)
    finally:
        Path(name).unlink()


def _lines(words: bytes) -> bytes:
    return words.replace(b"\0", b"\n")


def _forms(value: bytes) -> Iterable[bytes]:
    """Return a value's lines as they are, for URLs, in hexadecimal and in base64; short lines could be anything."""
    yield from (form for form in _encoded(value.strip()) if b"\n" not in form)
    for line in value.splitlines():
        if len(line) >= _SHORTEST and not line.startswith(b"-----"):
            yield from _encoded(line)


def _encoded(value: bytes) -> Iterable[bytes]:
    """Return forms by a reckoning of its own: that of the project may be what is wrong."""
    if len(value) < _SHORTEST:
        return
    yield value
    yield quote(value, safe="").encode()
    yield value.hex().encode()
    yield value.hex().upper().encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        # Within a longer text it begins at any of three places, and its first and last characters depend on the others.
        for before in range(3):
            coded = encode(b"\0" * before + value)
            yield coded[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]
