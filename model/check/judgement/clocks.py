"""Judgements of clocks: each follows another one, and is near enough to others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# etcd complains of peers whose clocks differ by more, and tokens and certificates are young when they are first used.
MOST_SECONDS = 1.0


def unsynchronised(synchronised: bool | None, servers: Sequence[str] = ()) -> Iterator[str]:
    """Say that a clock follows none (of these servers), or that nobody can tell (None)."""
    shown = ", ".join(servers)
    if synchronised is None:
        yield "does not say whether its clock follows another"
    elif not synchronised:
        yield f"its clock follows none{f' of {shown}' if servers else ''}"


def too_far(seconds: float) -> bool:
    """Return whether a clock is further ahead or behind than the cluster bears."""
    return abs(seconds) > MOST_SECONDS
