"""How are programs and files of the host read: bounded, never a shell, and told apart from not being there?"""

from __future__ import annotations

import subprocess
from pathlib import Path

ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_SECONDS = 10.0
_MOST_BYTES = 4 << 20
_PIECE = 1 << 16


class Failed(Exception):
    """A program of the host did not do what it was asked."""


def output(*argv: str, codes: tuple[int, ...] = (0,)) -> str:
    """Return a program's standard output; raises Failed for another exit code or no end in time."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, env=ENVIRONMENT, check=False
        )
    except FileNotFoundError:
        raise Failed(f"there is no `{argv[0]}`") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"`{' '.join(argv)}` did not end within {_SECONDS:g} s") from None
    if done.returncode not in codes:
        why = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Failed(f"`{' '.join(argv)}` ended with {done.returncode}: {why[0] if why else 'it said nothing'}")
    return done.stdout.decode("utf-8", "surrogateescape")


def installed(program: str) -> bool:
    """Tell whether the host has a program."""
    return any(Path(folder, program).exists() for folder in ENVIRONMENT["PATH"].split(":"))


def text(path: str | Path) -> str | None:
    """Return a file's text, None where there is none; raises OSError for one that cannot be read."""
    data = b""
    try:
        with Path(path).open("rb", buffering=0) as file:
            # Settings of the kernel refuse to be read in large pieces.
            while len(data) < _MOST_BYTES and (part := file.read(_PIECE)):
                data += part
    except (FileNotFoundError, NotADirectoryError):
        return None
    return data.decode("utf-8", "surrogateescape")


def word(path: str | Path) -> str:
    """Return a file's text without white space around it, empty where there is none or the kernel will not tell."""
    try:
        return (text(path) or "").strip()
    except OSError:
        return ""


def matching(folder: str, pattern: str) -> list[Path]:
    """Return what matches in a folder, sorted; nothing where there is no such folder."""
    return sorted(Path(folder).glob(pattern))
