"""What was sent to an address that may stand at another host by now, and what sending it again brought."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from model.base import Address
from model.verify.evidence import RunEvidence
from model.verify.pairs import PROTOCOLS, Pair
from model.verify.resend import undelivered


def astray(pairs: Iterable[Pair], evidence: RunEvidence) -> frozenset[Address]:
    """Return the addresses of which probes surfaced at another host than the one that should hold them, or nowhere."""
    return frozenset(pair.address for pair in pairs if _astray(pair, evidence))


def newer(before: RunEvidence, again: RunEvidence, addresses: Collection[Address]) -> RunEvidence:
    """Return the evidence with all that is known of these addresses taken from `again` alone."""
    asked = set(map(str, addresses))
    kept = {key: stream for key, stream in before.streams.items() if key[1] not in asked}
    return replace(
        before,
        streams={**kept, **again.streams},
        sources=_together(before.sources, again.sources),
        witnesses=_together(before.witnesses, again.witnesses),
    )


def _together(first: Mapping[str, frozenset[str]], second: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    return {name: first.get(name, frozenset()) | second.get(name, frozenset()) for name in {*first, *second}}


def _astray(pair: Pair, evidence: RunEvidence) -> bool:
    nowhere = undelivered([pair], evidence).get(pair.source, {})
    return any(
        evidence.of(pair, protocol).strayed
        or nowhere.get((str(pair.address), protocol), 0) & evidence.of(pair, protocol).sent
        for protocol in PROTOCOLS
    )
