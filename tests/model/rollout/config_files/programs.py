"""Shell, Python and OpenSSL, asked whether they can read a text."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.model.rollout.config_files.reader import Files


def shell(variants: Sequence[Files], _folder: Path) -> Iterator[str]:
    """Yield what a shell says of scripts."""
    for name, text in _texts(variants, ".sh"):
        done = subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, timeout=60)
        if done.returncode:
            yield f"{name}: {done.stderr}"


def python(variants: Sequence[Files], _folder: Path) -> Iterator[str]:
    """Yield what Python says of programs."""
    for name, text in _texts(variants, ".py"):
        try:
            compile(text, name, "exec")
        except SyntaxError as error:
            yield f"{name}: {error}"


def openssl(variants: Sequence[Files], _folder: Path) -> Iterator[str]:
    """Yield what OpenSSL says of authorities."""
    for name, text in _texts(variants, ".pem"):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
        except (ssl.SSLError, ValueError) as error:
            yield f"{name}: {error}"


def _texts(variants: Sequence[Files], ending: str) -> list[tuple[str, str]]:
    """Return name and text of every file with this ending, each once."""
    return sorted({(file.name, file.text) for files in variants for file in files if file.key.endswith(ending)})
