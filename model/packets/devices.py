"""What decides about packets at a host's devices, outside netfilter's tables; nobody judges what it does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

_REMOVALS = (
    (re.compile(r"xdp at (\S+) "), r"ip link set dev \1 xdp off"),
    (re.compile(r"tc at (\S+) (\S+) "), r"tc filter del dev \1 \2"),
)
_COMMAND = re.compile(r"\(`([^`]+)`\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProgram:
    """
    One of them, or what nobody can tell; `device` is empty where it is at none, or at all of them.

    `words` name it, with the command that shows it.
    """

    words: str
    device: str = ""
    ways: frozenset[Literal["in", "out"]] = frozenset({"in", "out"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """
    Programs at devices. `lower`: the devices below each, as those of a VLAN, bond or bridge; `bridges`: the devices
    that are bridges, None where nobody told.
    """

    programs: tuple[DeviceProgram, ...] = ()
    lower: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bridges: frozenset[str] | None = None

    def at(self, interface: str | None, way: Literal["in", "out"]) -> Iterator[DeviceProgram]:
        """Yield what a packet through an interface meets there, or below it; None is one that nobody knows."""
        below = None if interface is None else {interface, *self._below(interface)}
        for program in self.programs:
            if way in program.ways and (below is None or not program.device or program.device in below):
                yield program

    def bridged(self, interface: str | None) -> bool:
        """Return whether the interface may be a bridge, whose packets meet rules of the family `bridge`."""
        return self.bridges is None or (bool(self.bridges) if interface is None else interface in self.bridges)

    def _below(self, interface: str) -> set[str]:
        found: set[str] = set()
        todo = [interface]
        while todo:
            more = set(self.lower.get(todo.pop(), ())) - found
            found |= more
            todo += more
        return found


def removal_of_program(words: str) -> str:
    """Return the command that takes away what these words name, or shows it where no single one does."""
    for pattern, command in _REMOVALS:
        if found := pattern.match(words):
            return found.expand(command)
    shown = _COMMAND.search(words)
    return shown[1] if shown else words
