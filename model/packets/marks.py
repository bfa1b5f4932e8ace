"""The mark of a packet, as rules write it on its way."""

from __future__ import annotations

from model import bits
from model.packets.iptables_save import ALL


class Marks:
    """The mark of the packet to every port, bit by bit: ports where a bit is set, and ports where that is not known."""

    def __init__(self) -> None:
        self.set: dict[int, int] = {}
        self.unknown: dict[int, int] = {}

    def write(self, value: int, mask: int, ports: int, doubtful: int) -> None:
        """Write the bits of a mask for some ports, and perhaps for those that are doubtful."""
        for bit in bits.to_ports(mask):
            here, unknown = self.set.get(bit, 0), self.unknown.get(bit, 0)
            wanted = bool(value & 1 << bit)
            self.unknown[bit] = (unknown & ~ports) | (doubtful & (~here if wanted else here))
            self.set[bit] = here | ports if wanted else here & ~ports

    def lose(self, ports: int) -> None:
        """Know nothing of these ports' marks any more: somebody wrote them whose words are not read here."""
        for bit in range(32):
            self.unknown[bit] = self.unknown.get(bit, 0) | ports

    def alike(self, value: int, mask: int) -> tuple[int, int]:
        """Return the ports whose mark has this value under the mask, and those of which it cannot be told."""
        if value & ~mask:
            return 0, 0
        alike = possible = ALL
        for bit in bits.to_ports(mask):
            here, unknown = self.set.get(bit, 0), self.unknown.get(bit, 0)
            same = here if value & 1 << bit else ALL & ~here
            alike, possible = alike & same & ~unknown, possible & (same | unknown)
        return alike, possible & ~alike
