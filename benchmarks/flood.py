"""What gets through a firewall while it is changed: packets at a closed port, sent all the while."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figure import Figure, wall
from benchmarks.site import LAB, RUN
from model.site.load import load_site

PROGRAMS = Path(__file__).parent / "flooding"
SOURCE, TARGET = "cp-1", "w-1"
# No row opens the first; nodes may reach the second, by which what passes is seen to be seen.
CLOSED, OPEN = 6999, 8472
_SECONDS = 30.0


def measure(rounds: int) -> list[Figure]:
    """
    Flood a closed port of one host while its firewall is really changed: a rule by hand, taken back, once a round.

    Raises RuntimeError where the flood did not arrive, and where the witness would not have seen what passes.
    """
    wall((*LAB, "down"))
    wall((*LAB, "up", "--profile", "small"))
    try:
        wall((*RUN, "flows.firewall", "--quiet"))
        with _flood(_address()) as counts:
            for _ in range(rounds):
                wall((*LAB, "shell", TARGET, "--", "ufw", "allow", "9999/tcp"))
                wall((*RUN, "flows.firewall", "--quiet", "--limit", TARGET))
    finally:
        wall((*LAB, "down"))
    return judged(counts, rounds)


def judged(counts: Mapping[str, int], rounds: int) -> list[Figure]:
    """Return the figures of one flood; raises RuntimeError where nothing could have been seen."""
    if not counts.get("arrived"):
        raise RuntimeError("no packet of the flood arrived: nothing was measured")
    if not counts.get("control"):
        raise RuntimeError("no packet at the open port was seen: what passes the closed one would not be either")
    return [
        Figure("firewall_open_packets", counts["passed"], "packets", "", rounds),
        Figure("firewall_flood_packets", counts["arrived"], "packets", "", rounds),
    ]


@contextmanager
def _flood(address: str) -> Iterator[dict[str, int]]:
    """Flood for as long as the block lasts; the mapping holds what was counted once it has ended."""
    counts: dict[str, int] = {}
    with (
        _started(TARGET, "witness.py", str(CLOSED), str(OPEN)) as witness,
        _started(SOURCE, "source.py", address, str(CLOSED), str(OPEN)) as source,
    ):
        yield counts
        _answer(source)
        counts.update(_answer(witness))


@contextmanager
def _started(host: str, program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a program on a host; it is ended with the block, whatever it does."""
    argv = (*LAB, "shell", host, "--", "python3", "-c", (PROGRAMS / program).read_text("utf-8"), *arguments)
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None or process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{program} did not start on {host}")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _answer(process: subprocess.Popen[str]) -> dict[str, int]:
    """End a program's input and return what it counted."""
    answer, _ = process.communicate(timeout=_SECONDS)
    if process.returncode:
        raise RuntimeError(f"a program of the flood ended with {process.returncode}")
    counted: dict[str, int] = json.loads(answer)
    return counted


def _address() -> str:
    """The target's IPv4 address in its own network."""
    lab_inventory = subprocess.run((*LAB, "inventory"), capture_output=True, text=True, check=True)
    machine = load_site(Path(lab_inventory.stdout.strip())).by_name[TARGET]
    return str(next(address for address in machine.own if address.version == 4))
