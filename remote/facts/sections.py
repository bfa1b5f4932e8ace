"""Answers that scripts print in sections, each begun by a mark; and whether the programs that fill them ran."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from model.checkout import HOST_SCRIPTS
from model.errors import ProtocolError

_SCRIPT = HOST_SCRIPTS / "sections.sh"
# What stands in the place of an exit code where a program is not installed.
MISSING = "missing"


@cache
def shell_text(script: Path) -> str:
    """Return a script's functions, together with those it prints sections by."""
    return f"{_SCRIPT.read_text('utf-8')}\n{script.read_text('utf-8')}"


def new_mark() -> str:
    """Return a word that no file of a host contains."""
    return f"mf-{secrets.token_hex(8)}"


def sections(mark: str, answer: str) -> dict[str, str]:
    """Return what stands in each section of an answer, byte for byte, by the section's name."""
    parts = answer.split(f"\n{mark} ")[1:]
    pairs = (part.partition("\n") for part in parts)
    return {name: body for name, _, body in pairs}


def read_answer(host: str, subject: str, mark: str, answer: bytes) -> dict[str, str]:
    """Return the sections of a whole answer about `subject`; raises `ProtocolError` where it is cut short."""
    parts = sections(mark, answer.decode("utf-8", "surrogateescape"))
    if "end" not in parts:
        raise ProtocolError(host, f"the answer about {subject} is cut short", "is it out of memory or disk?")
    return parts


def check_programs(host: str, parts: Mapping[str, str], programs: Mapping[str, str]) -> None:
    """
    Raise `ProtocolError` where a program failed that should fill a section (`programs`: command lines by section): then
    nobody knows, which is not the same as a host without any. One that is not installed there has nothing to say.
    """
    for name, program in programs.items():
        code = parts.get(f"end of {name}", "cut short").strip()
        nothing_to_ask = name == "ip6tables-save" and "yes" not in parts.get("ipv6", "yes")
        if code not in ("0", MISSING) and not nothing_to_ask:
            raise ProtocolError(host, f"`{program}` failed there (exit code {code})", f"run `{program}` on it as root")


def assignments(text: str) -> dict[str, str]:
    """Read lines of `KEY=value`, as os-release has them: quotes are taken off, comments left out."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key: value.strip().strip("\"'") for key, _, value in pairs}
