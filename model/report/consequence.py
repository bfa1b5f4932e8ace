"""What follows from a host that does not answer: said so that reports can tell it below that host's own finding."""

from __future__ import annotations

from collections.abc import Iterable

_BECAUSE = "nothing is proven of it because of a host that does not answer: "


def consequence(hosts: Iterable[str]) -> str:
    """Return the message of an outcome that nothing but the silence of these hosts keeps from being good."""
    return _BECAUSE + ", ".join(sorted(hosts))


def causes_of(message: str) -> tuple[str, ...]:
    """Return the hosts that such a message names; none for any other message."""
    return tuple(message.removeprefix(_BECAUSE).split(", ")) if message.startswith(_BECAUSE) else ()
