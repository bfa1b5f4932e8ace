"""What is on the disks that a host is declared to have."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from model.checkout import HOST_SCRIPTS
from model.errors import ProtocolError
from model.kubernetes.storage import DiskFacts

if TYPE_CHECKING:
    from nornir.core.inventory import Host

SCRIPT = HOST_SCRIPTS / "disks.sh"
BY_ID = "/dev/disk/by-id"
_SECONDS = 60.0


def observe(host: Host, ids: Sequence[str], folder: str = BY_ID) -> tuple[DiskFacts, ...]:
    """
    Look at disks by their stable names, in one round trip and in the order asked; nothing is changed.

    Raises `ProtocolError` for an answer that is cut short, and what running a command raises.
    """
    from remote.shell import run

    calls = [shlex.join(("mf_disk", str(at), f"{folder}/{name}")) for at, name in enumerate(ids)]
    script = "\n".join((functions(), *calls, "echo end", ""))
    done = run(host, ("sh", "-s"), stdin=script.encode(), root=True, timeout=_SECONDS).check(host)
    return parse(host.name, done.stdout.decode("utf-8", "replace"), len(ids))


@cache
def functions() -> str:
    """Return the script that defines `mf_disk` and `mf_format`."""
    return SCRIPT.read_text("utf-8")


def parse(host: str, answer: str, count: int) -> tuple[DiskFacts, ...]:
    """
    Read what `mf_disk` printed for so many disks.

    Raises `ProtocolError` where something is missing or unknown.
    """
    lines = answer.splitlines()
    if not lines or lines[-1] != "end":
        raise ProtocolError(host, "the answer about its disks is cut short", "is it out of memory?")
    blocks: list[dict[str, list[str]]] = []
    for line in lines[:-1]:
        word, _, value = line.partition(" ")
        if word == "disk":
            blocks.append({})
        elif word in ("device", "size", "label", "reason") and blocks:
            blocks[-1].setdefault(word, []).append(value)
        else:
            raise ProtocolError(host, f"the answer about its disks has a line nobody knows: {line}")
    if len(blocks) != count:
        raise ProtocolError(host, f"{count} disks were asked for, {len(blocks)} were answered for")
    return tuple(_facts(block) for block in blocks)


def _facts(block: dict[str, list[str]]) -> DiskFacts:
    first = {word: values[0] for word, values in block.items()}
    reasons = tuple(block.get("reason", ()))
    return DiskFacts(first.get("device", ""), int(first.get("size") or 0), first.get("label", ""), reasons)
