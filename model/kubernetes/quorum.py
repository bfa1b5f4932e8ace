"""Whether etcd keeps its quorum when members leave."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seat:
    """A member: its host, whether it votes, whether it answers."""

    name: str
    voter: bool
    healthy: bool


def needed(voters: int) -> int:
    """Return how many of so many voters must answer for etcd to decide anything."""
    return voters // 2 + 1


def objection(seats: Sequence[Seat], leaving: Collection[str]) -> str:
    """
    Say why these members must not leave, one after the other; empty where nothing speaks against it.

    Those that do not answer leave first: that never makes things worse.
    """
    voters = [seat for seat in seats if seat.voter]
    going = sorted((seat for seat in voters if seat.name in leaving), key=lambda seat: seat.healthy)
    if not going:
        return ""
    for seat in going:
        if sum(voter.healthy for voter in voters) < needed(len(voters)):
            return _short(voters, f"before {seat.name} leaves")
        voters.remove(seat)
        if not voters:
            return f"{seat.name} is etcd's last member: the cluster would end with it"
        if sum(voter.healthy for voter in voters) < needed(len(voters)):
            return _short(voters, f"without {seat.name}")
    return ""


def exposure(seats: Sequence[Seat], leaving: Collection[str]) -> str:
    """
    Say that the members that stay could not bear the loss of another one, where they could before; empty where they
    still can, and where those that leave take nothing of it with them, as one that is dead.
    """
    voters = [seat for seat in seats if seat.voter]
    staying = [seat for seat in voters if seat.name not in leaving]
    if len(staying) == len(voters) or not staying or tolerance(staying) > 0:
        return ""
    last = len(staying) == 1 and sum(seat.healthy for seat in voters) > 1
    if tolerance(voters) <= 0 and not last:
        return ""
    names = ", ".join(seat.name or "(unnamed)" for seat in staying)
    rest = "member" if len(staying) == 1 else "members"
    lost = "its data would be gone" if len(staying) == 1 else "the cluster would stand still"
    return f"etcd would be left with {len(staying)} of {len(voters)} {rest} ({names}): with the next loss {lost}"


def sole(seats: Sequence[Seat], leaving: Collection[str]) -> bool:
    """Return whether one voter alone would stay."""
    return sum(seat.voter and seat.name not in leaving for seat in seats) == 1


def tolerance(voters: Sequence[Seat]) -> int:
    """Return how many more of these voters may fall silent before etcd decides nothing; below 0 it is so already."""
    return sum(seat.healthy for seat in voters) - needed(len(voters))


def _short(voters: Sequence[Seat], when: str) -> str:
    healthy = sum(voter.healthy for voter in voters)
    silent = ", ".join(voter.name or "(unnamed)" for voter in voters if not voter.healthy)
    return (
        f"etcd would have no quorum {when}: {healthy} of {len(voters)} members answer, {needed(len(voters))} must "
        f"(silent: {silent})"
    )
