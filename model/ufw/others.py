"""Chains of others of which ufw's own files speak: its start changes them, and a rollback brings them back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.ufw.kernel import PREFIX
from model.ufw.state import AFTER, BEFORE

_SPEAKING = ("-A", "--append", "-I", "--insert", "-D", "--delete", "-F", "--flush", "-N", "--new-chain")


@dataclass(frozen=True, order=True, slots=True)
class OthersChain:
    """A chain of a table, as `:GUARD - [0:0]` or `-I FORWARD -j GUARD` in after.rules names it."""

    table: str
    chain: str


def others_chains(files: Mapping[str, str], version: int) -> tuple[OthersChain, ...]:
    """
    Return the chains that before.rules and after.rules (`files`: texts by path) of a family speak of and that are not
    ufw's own, built-in ones too.
    """
    found: set[OthersChain] = set()
    for path in (BEFORE[version], AFTER[version]):
        table = ""
        for line in files.get(path, "").splitlines():
            words = line.split()
            if line.startswith("*"):
                table = line[1:].strip()
            elif line.startswith(":") and line[1:].split():
                found.add(OthersChain(table, line[1:].split()[0]))
            elif len(words) > 1 and words[0] in _SPEAKING:
                found.add(OthersChain(table, words[1]))
    mark = f"{PREFIX[version]}-"
    return tuple(sorted(place for place in found if place.table and not place.chain.startswith(mark)))
