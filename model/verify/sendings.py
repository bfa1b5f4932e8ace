"""How often each probe of a run was sent, what of that is known to be lost, and what loss may therefore explain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from model.report.words import Plane
from model.verify.evidence import Doubt, RunEvidence, StreamEvidence, StreamKey
from model.verify.ledger import Ledger
from model.verify.loss import MOST_SENDS, Loss, asks
from model.verify.pairs import PROTOCOLS, Pair
from model.verify.pods import node_of
from model.verify.resend import Wanted, absent, stuck, unheard

# The kernel sends the first packet of a connection so often while somebody waits five seconds for a greeting.
SYNS = 3
# So many packets tell well enough what is lost.
_ENOUGH = 50
Owed = Callable[[Pair, str], int]


@dataclass(frozen=True, slots=True)
class PacketPath:
    """What packets of several streams have in common on their way; an end is empty where it may be any."""

    source: str
    destination: str
    version: int
    plane: Plane | None = None

    def __str__(self) -> str:
        return f"{self.source or 'anybody'} to {self.destination or 'anybody'} by IPv{self.version}"

    @property
    def back(self) -> PacketPath:
        """The way back."""
        return replace(self, source=self.destination, destination=self.source)


def path_of(pair: Pair) -> PacketPath:
    """Return the path of a pair's packets."""
    return PacketPath(node_of(pair.source), node_of(pair.destination), pair.address.version, pair.plane)


@dataclass(slots=True)
class Sendings:
    """
    Everything that was sent so far.

    A probe that arrives later than it was first sent tells of loss; where none has, the rounds that every run has are
    enough. `arrivals` are known by path, `passes` (of what had arrived) by the host whose firewall it is, `answers` by
    path again.
    """

    owed: Owed
    arrivals: Ledger[PacketPath] = field(default_factory=Ledger)
    passes: Ledger[str] = field(default_factory=Ledger)
    answers: Ledger[PacketPath] = field(default_factory=Ledger)

    def note(self, pairs: Iterable[Pair], wanted: Wanted | None, evidence: RunEvidence) -> None:
        """Take down a round: the ports that were sent (None: all that are probed), and the evidence after it."""
        for pair in pairs:
            for protocol in PROTOCOLS:
                key = (pair.source, str(pair.address), protocol)
                chosen = None if wanted is None else wanted.get(pair.source, {}).get(key[1:], 0)
                fired = pair.probed.get(protocol, 0) if chosen is None else chosen
                stream = evidence.streams[key]
                fired &= stream.sent & ~stream.refused
                if fired:
                    self._note(pair, protocol, key, fired, stream)
        self.arrivals.close_round()
        self.passes.close_round()
        self.answers.close_round()

    def _note(self, pair: Pair, protocol: str, key: StreamKey, fired: int, stream: StreamEvidence) -> None:
        path = path_of(pair)
        self.arrivals.note(path, key, fired, stream.arrived)
        opened, led = pair.open(protocol), pair.dnat_ports.get(protocol, 0)
        self.passes.note(node_of(pair.destination), key, fired & opened & stream.arrived, stream.passed)
        if protocol == "tcp":
            # Of UDP most services say nothing, and a firewall that drops never does.
            asked = opened & stream.passed | led & stream.arrived
            self.answers.note(path, key, fired & asked, stream.heard)

    def doubtful(self, pairs: Iterable[Pair], evidence: RunEvidence) -> Wanted:
        """Return what each source must send once more, since loss may explain what was not seen of it."""
        wanted: dict[str, dict[tuple[str, str], int]] = {}
        for pair in pairs:
            for protocol in PROTOCOLS:
                doubt = self.doubt(pair, protocol, evidence)
                if ports := doubt.lost | doubt.stuck | doubt.unheard:
                    wanted.setdefault(pair.source, {})[str(pair.address), protocol] = ports
        return wanted

    def doubted(self, pairs: Iterable[Pair], evidence: RunEvidence) -> RunEvidence:
        """Return the evidence with what loss may explain in it."""
        streams = dict(evidence.streams)
        for pair in pairs:
            for protocol in PROTOCOLS:
                doubt = self.doubt(pair, protocol, evidence)
                if doubt != Doubt():
                    key = (pair.source, str(pair.address), protocol)
                    streams[key] = replace(streams[key], doubt=doubt)
        return replace(evidence, streams=streams)

    def doubt(self, pair: Pair, protocol: str, evidence: RunEvidence) -> Doubt:
        """Return the ports of a stream of which loss may explain that nothing was seen, or nothing heard."""
        stream = evidence.of(pair, protocol)
        key = (pair.source, str(pair.address), protocol)
        path = path_of(pair)
        lost, missing = 0, absent(pair, protocol, stream) & stream.sent
        words = f"{path}: {self.arrivals.loss(path)}"
        if missing:
            lost, words = self._lost(pair, protocol, key, missing)
        held = stuck(pair, protocol, stream)
        if held:
            kept = self.passes.loss(node_of(pair.destination))
            held &= ~self.passes.often(key, kept.sends) if kept.lost else 0
            words = words if lost else f"behind the wire of {node_of(pair.destination)}: {kept}"
        mute = unheard(pair, protocol, stream, self.owed)
        if mute:
            mute &= ~self.answers.often(key, self._asks(path))
        if not lost | held | mute:
            return Doubt()
        return Doubt(lost=lost, stuck=held, unheard=mute, loss=words)

    def _lost(self, pair: Pair, protocol: str, key: StreamKey, missing: int) -> tuple[int, str]:
        """
        Return which of the ports that never arrived loss may explain, and the loss in words.

        What must arrive is judged by the loss of its own path; what a border should stop, of which nothing is expected
        on that path, by the greatest that its ends have as well.
        """
        path = path_of(pair)
        own = self.arrivals.loss(path)
        stopped = missing & ~pair.open(protocol) if pair.border else 0
        # A Service may take it at its source; where nothing is lost nobody waits for that.
        led = pair.dnat_ports.get(protocol, 0) if not own.lost else 0
        where, around = self._around(path)
        # Where little is known of a path, it may lose as much as what is around it.
        needed = own.sends if own.sent >= _ENOUGH else max(own.sends, around.sends if around.lost else 0)
        lost = missing & ~stopped & ~led & ~self.arrivals.often(key, needed)
        quiet = stopped & ~self.arrivals.often(key, around.sends) if around.lost else 0
        return lost | quiet, f"{where}: {around}" if quiet and not lost else f"{path}: {own}"

    def _around(self, path: PacketPath) -> tuple[PacketPath, Loss]:
        """
        Return the greatest loss among that of the path and that of all that its ends sent or got; a handful of packets
        tells nothing where there are more.
        """
        known = {path: self.arrivals.loss(path)} | {wide: self._pooled(wide) for wide in _wider(path)}
        enough = {where: loss for where, loss in known.items() if loss.sent >= _ENOUGH} or known
        lossy = {where: loss for where, loss in enough.items() if loss.lost}
        return max(lossy.items(), key=lambda item: item[1].sends, default=(path, Loss()))

    def _pooled(self, path: PacketPath) -> Loss:
        return self.arrivals.pooled(path, _wider)

    def _asks(self, path: PacketPath) -> int:
        """Return how often a service must have been asked; 0 where nothing of the path or the way back is lost."""
        there, back = self.arrivals.loss(path), self.arrivals.loss(path.back)
        both = self.answers.loss(path)
        if not (there.lost or back.lost or both.lost):
            return 0
        return max(asks(there, back if back.sent else there), both.sends if both.lost else 0)

    def greetings(self, name: str) -> int:
        """
        Return how many connections to a host's sshd must be in vain before loss does not explain it; of the
        controller's own path nothing is known but what that host loses towards others.
        """
        needed = max([Loss().sends, *(asks(*way) for way in self._ways(name) if way[0].lost or way[1].lost)])
        return needed if needed > MOST_SENDS else -(-needed // SYNS)

    def around(self, name: str) -> str:
        """Say what a host loses towards others."""
        there, back = max(self._ways(name), key=lambda way: way[0].share + way[1].share)
        return f"on the way to {name}: {there}; from it: {back}"

    def _ways(self, name: str) -> list[tuple[Loss, Loss]]:
        return [
            (self._pooled(PacketPath("", name, version)), self._pooled(PacketPath(name, "", version)))
            for version in (4, 6)
        ]

    @property
    def losses(self) -> Mapping[PacketPath, Loss]:
        """Return what each path lost, the most first; those that lost nothing are left out."""
        lossy = {path: loss for path, loss in self.arrivals.losses.items() if loss.lost}
        return dict(sorted(lossy.items(), key=lambda item: -item[1].lost))

    def needed(self, pairs: Iterable[Pair], least: int) -> int:
        """Return how often all probes of the pairs must be sent so that loss does not explain what is missing."""
        losses = [self._around(path_of(pair))[1] for pair in pairs]
        return min(MOST_SENDS, max([least, *(loss.sends for loss in losses if loss.lost)]))


def _wider(path: PacketPath) -> tuple[PacketPath, PacketPath]:
    return PacketPath(path.source, "", path.version), PacketPath("", path.destination, path.version)
