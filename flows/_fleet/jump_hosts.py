"""The jump hosts that stand before hosts, each once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from model.errors import HostError
from remote.route import Route, hops

if TYPE_CHECKING:
    from nornir.core import Nornir


def jump_hosts(nr: Nornir, names: Iterable[str]) -> tuple[Route, ...]:
    """
    Return the ways to the jump hosts before these hosts, those that others are reached through first.

    What of ssh_config cannot be understood is told of the host that is asked for itself.
    """
    found: dict[str, Route] = {}
    for name in names:
        try:
            ways = hops(nr.inventory.hosts[name])
        except HostError:
            continue
        for way in ways:
            found.setdefault(way.known_as, way)
    return tuple(found.values())
