"""How often ports were sent before something of them was seen, and what that says of loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from model.verify.evidence import StreamKey
from model.verify.loss import MOST_SENDS, Loss

Group = TypeVar("Group")
# Where so many probes of a group all were in vain in a round, and so many of them arrive at once later, that round was
# an outage: it tells nothing of what the group loses when it works.
_OUTAGE = 8


@dataclass(slots=True)
class _Stream:
    """Ports not seen yet: those sent in vain once at least, twice at least ..., and the same for rounds in the dark."""

    vain: list[int] = field(default_factory=list)
    dark: list[int] = field(default_factory=list)
    seen: int = 0

    @property
    def shaded(self) -> int:
        """Ports that were sent in rounds in the dark."""
        ports = 0
        for sent in self.dark:
            ports |= sent
        return ports

    def fresh(self, sent: int, seen: int) -> int:
        """Return the ports that were sent, now or before, and are seen for the first time."""
        for ports in self.vain[:1]:
            sent |= ports
        return seen & (sent | self.shaded) & ~self.seen


class Ledger(Generic[Group]):
    """
    Streams in groups that lose alike.

    What is seen only after it was sent again was lost as often as it had been sent before.
    """

    def __init__(self) -> None:
        self.losses: dict[Group, Loss] = {}
        self._streams: dict[StreamKey, _Stream] = {}
        self._groups: dict[Group, dict[StreamKey, None]] = {}
        self._round: dict[Group, dict[StreamKey, tuple[int, int]]] = {}
        self._pools: dict[Group, Loss] | None = None

    def note(self, group: Group, key: StreamKey, sent: int, seen: int) -> None:
        """Take down that a round sent these ports, and which ports of the stream were seen by its end."""
        if sent:
            self._round.setdefault(group, {})[key] = (sent, seen)

    def close_round(self) -> None:
        """Count what was taken down since the last round."""
        for group, sendings in self._round.items():
            self._count(group, sendings)
        self._round, self._pools = {}, None

    def loss(self, group: Group) -> Loss:
        """Return what is known of a group."""
        return self.losses.get(group, Loss())

    def often(self, key: StreamKey, sends: int) -> int:
        """
        Return the ports of a stream that were sent in vain so often at least, rounds in the dark included; more than
        `MOST_SENDS` are never enough.
        """
        stream = self._streams.get(key, _Stream())
        if not sends:
            return ~0
        if sends > MOST_SENDS:
            return 0
        levels = list(stream.vain)
        for ports in stream.dark:
            _raise(levels, ports)
        return levels[sends - 1] if sends <= len(levels) else 0

    def pooled(self, group: Group, wider: Callable[[Group], Iterable[Group]]) -> Loss:
        """Return the sum over all groups that belong to a wider one."""
        if self._pools is None:
            self._pools = {}
            for known, loss in self.losses.items():
                for other in wider(known):
                    self._pools[other] = self._pools.get(other, Loss()) + loss
        return self._pools.get(group, Loss())

    def _count(self, group: Group, sendings: Mapping[StreamKey, tuple[int, int]]) -> None:
        members = self._groups.setdefault(group, {})
        streams = {key: self._streams.setdefault(key, _Stream()) for key in sendings}
        members.update(dict.fromkeys(sendings))
        fresh = {key: streams[key].fresh(sent, seen) for key, (sent, seen) in sendings.items()}
        vain = {key: sent & ~(seen | streams[key].seen) for key, (sent, seen) in sendings.items()}
        came = sum(ports.bit_count() for ports in fresh.values())
        if not came and sum(ports.bit_count() for ports in vain.values()) >= _OUTAGE:
            for key, ports in vain.items():
                streams[key].dark.append(ports)
            return
        self._settle(members, sum((streams[key].shaded & ports).bit_count() for key, ports in fresh.items()))
        lost = 0
        for key, ports in fresh.items():
            stream, seen = streams[key], sendings[key][1]
            lost += sum((level & ports).bit_count() for level in stream.vain)
            stream.vain = [left for level in stream.vain if (left := level & ~ports)]
            # The evidence's own object, wherever that will do: there are many streams.
            stream.seen = seen if not stream.seen & ~seen else seen | stream.seen
        for key, ports in vain.items():
            _raise(streams[key].vain, ports)
        if came:
            self.losses[group] = self.loss(group) + Loss(came + lost, lost)

    def _settle(self, members: Iterable[StreamKey], came: int) -> None:
        """Judge rounds in the dark by how many of their probes came now: many after an outage, few after loss."""
        for key in members if came else ():
            stream = self._streams[key]
            for ports in stream.dark if came < _OUTAGE else ():
                _raise(stream.vain, ports)
            stream.dark.clear()


def _raise(levels: list[int], ports: int) -> None:
    """Lift ports by a level each: what was there once at least is there twice at least."""
    for place in range(len(levels)):
        here = levels[place]
        levels[place], ports = here | ports, here & ports
    if ports:
        levels.append(ports)
