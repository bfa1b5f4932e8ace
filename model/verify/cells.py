"""How do sets of ports under stories become the cells of a report?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model import bits
from model.report.report import Cell, CellEvidence
from model.site.rows import Interval
from model.verify.evidence_types import Classification, PairEvidence, PortClasses
from model.verify.pairs import EVERY_PORT, Pair


@dataclass(frozen=True, slots=True)
class PortRun:
    """
    Ports lo..hi of one declared interval under one story; `exact` where the rules told some of them, which never
    stretches.
    """

    low: int
    high: int
    story: Classification
    exact: bool = False


def cells(
    pair: Pair, protocol: str, stories: PortClasses, packets: PairEvidence, coverage: int = EVERY_PORT
) -> Iterator[Cell]:
    """
    Yield one cell a run of consecutive ports with the same story, within one declared interval, ascending.

    Ports that no story speaks of (not probed, rules agree with the matrix) belong to the neighbour that is ok.
    `coverage` limits what is spoken of, for runs over chosen ports only.
    """
    for interval, rows in _declared(pair, protocol):
        for run in _runs(interval, stories, coverage):
            yield _cell(pair, protocol, run, rows, packets)


def _declared(pair: Pair, protocol: str) -> list[tuple[Interval, tuple[str, ...]]]:
    """Cut 1-65535 into what rows open and the gaps between."""
    found: list[tuple[Interval, tuple[str, ...]]] = []
    position = 1
    opened = sorted((each for each in pair.openings if each.protocol == protocol), key=lambda each: each.interval)
    for each in opened:
        low, high = each.interval
        if low > position:
            found.append(((position, low - 1), ()))
        found.append(((low, high), each.rows))
        position = high + 1
    if position <= 65535:
        found.append(((position, 65535), ()))
    return found


def _runs(interval: Interval, stories: PortClasses, coverage: int) -> list[PortRun]:
    low, high = interval
    mask = bits.from_intervals([interval]) & coverage
    here = {story: ports & mask for story, ports in stories.items() if ports & mask}
    if not here:
        return []
    limited = coverage != EVERY_PORT
    if len(here) == 1 and not limited:
        story = next(iter(here))
        # What the rules alone say holds for exactly the ports they say it of.
        if not story.by_rules:
            return [PortRun(low, high, story)]
    return _stretched(interval, _consecutive(here), limited)


def _consecutive(here: PortClasses) -> list[PortRun]:
    """
    Runs over the ports that stories speak of, ascending.

    Ports of one story join over ports that no story speaks of; what the rules say of unprobed ports joins the probed
    ones beside them when the verdict is the same.
    """
    spoken = ((lo, hi, story) for story, ports in here.items() for lo, hi in bits.to_intervals(ports))
    runs: list[PortRun] = []
    for lo, hi, story in sorted(spoken, key=lambda piece: piece[:2]):
        if runs and _join(runs[-1], lo, story):
            told = runs[-1].story if story.by_rules else story
            runs[-1] = PortRun(runs[-1].low, hi, told, runs[-1].exact or story.by_rules)
        else:
            runs.append(PortRun(lo, hi, story, story.by_rules))
    return runs


def _join(run: PortRun, low: int, story: Classification) -> bool:
    touching = run.high == low - 1
    if run.story == story and not story.by_rules:
        return touching or not run.exact
    same = (run.story.expected, run.story.verdict, run.story.culprit) == (story.expected, story.verdict, story.culprit)
    return touching and same and (run.story.by_rules or story.by_rules)


def _stretched(interval: Interval, runs: list[PortRun], limited: bool) -> list[PortRun]:
    """
    Give the ports between runs, which no story speaks of, to a neighbour, so that the cells leave no port of the
    interval out.

    A good neighbour takes them before a doubtful one, and that before a bad one; what the rules alone say is never
    stretched. Between two such runs they become a good run of their own, if the interval has a good story at all.
    """
    if limited:
        return runs
    low, high = interval
    good = next((run.story for run in runs if _reluctance(run) == 0), None)
    result: list[PortRun] = []
    for run in runs:
        start, end = result[-1].high + 1 if result else low, run.low - 1
        result += _filled(start, end, result, run, good)
    return result + _filled(result[-1].high + 1, high, result, None, good)


def _filled(
    start: int, end: int, before: list[PortRun], after: PortRun | None, good: Classification | None
) -> list[PortRun]:
    """Hand over the ports start..end, stretching the last of `before` in place; return what comes next."""
    rest = [after] if after else []
    if start > end:
        return rest
    takers = [run for run in (*before[-1:], *rest) if _reluctance(run) < _NEVER]
    if not takers:
        return [PortRun(start, end, good), *rest] if good else rest
    if min(takers, key=_reluctance) is after:
        return [PortRun(start, after.high, after.story)]
    before[-1] = PortRun(before[-1].low, end, before[-1].story)
    return rest


_NEVER = 3


def _reluctance(run: PortRun) -> int:
    if run.exact:
        return _NEVER
    return {"ok": 0, "unproven": 1}.get(run.story.verdict, 2)


def _cell(pair: Pair, protocol: str, run: PortRun, rows: tuple[str, ...], packets: PairEvidence) -> Cell:
    mask = bits.from_intervals([(run.low, run.high)])
    probed = pair.probed.get(protocol, 0) & mask
    story = run.story
    evidence = None if story.by_rules or not probed else _evidence(packets, probed, story)
    return Cell(
        source=pair.source,
        destination=pair.destination,
        address=str(pair.address),
        protocol=protocol,
        port_lo=run.low,
        port_hi=run.high,
        plane=pair.plane,
        expected=story.expected,
        seen=story.seen,
        verdict=story.verdict,
        culprit=story.culprit,
        rows=rows,
        probed=0 if story.by_rules else probed.bit_count(),
        evidence=evidence,
        note=story.note,
        answered=packets.answered if story.seen == "open" else "",
    )


def _evidence(packets: PairEvidence, ports: int, story: Classification) -> CellEvidence:
    blind = story.verdict == "unproven" and story.culprit in ("source", "witness")
    return CellEvidence(
        sent=None if blind and story.culprit == "source" else (packets.sent & ports).bit_count(),
        arrived=None if blind else (packets.arrived & ports).bit_count(),
        passed=None if blind else (packets.passed & ports).bit_count(),
        reply=_reply(packets, ports),
    )


def _reply(packets: PairEvidence, ports: int) -> str:
    for word, seen in (("syn-ack", packets.synack), ("data", packets.data), ("rst", packets.rst)):
        if seen & ports:
            return word
    return next((f"icmp {name}" for name, seen in packets.icmp.items() if seen & ports), "none")
