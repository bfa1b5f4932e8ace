"""The classes of a stream's ports as the cells of a report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model import bits
from model.report.report import Cell, CellEvidence
from model.report.words import CellVerdict, Culprit, PortState
from model.site.rows import Interval
from model.verify.classes import Classification, PortClasses
from model.verify.evidence import StreamEvidence
from model.verify.pairs import EVERY_PORT, Pair


@dataclass(frozen=True, slots=True)
class PortRun:
    """
    Ports lo..hi of one declared interval under one classification.

    `exact` where the rules told some of them, which never stretches.
    """

    low: int
    high: int
    classification: Classification
    exact: bool = False


def cells(
    pair: Pair, protocol: str, classes: PortClasses, evidence: StreamEvidence, coverage: int = EVERY_PORT
) -> Iterator[Cell]:
    """
    Yield one cell a run of consecutive ports with the same classification, within one declared interval, ascending.

    Ports that no classification speaks of (not probed, rules agree with the matrix) belong to the neighbour that is ok.
    `coverage` limits what is spoken of, for runs over chosen ports only.
    """
    for interval, rows in _declared(pair, protocol):
        for run in _runs(interval, classes, coverage):
            yield _cell(pair, protocol, run, rows, evidence)


def _declared(pair: Pair, protocol: str) -> list[tuple[Interval, tuple[str, ...]]]:
    """Cut 1-65535 into what rows open and the gaps between."""
    intervals: list[tuple[Interval, tuple[str, ...]]] = []
    position = 1
    opened = sorted((part for part in pair.openings if part.protocol == protocol), key=lambda part: part.interval)
    for part in opened:
        low, high = part.interval
        if low > position:
            intervals.append(((position, low - 1), ()))
        intervals.append(((low, high), part.rows))
        position = high + 1
    if position <= 65535:
        intervals.append(((position, 65535), ()))
    return intervals


def _runs(interval: Interval, classes: PortClasses, coverage: int) -> list[PortRun]:
    low, high = interval
    mask = bits.from_intervals([interval]) & coverage
    here = {classification: ports & mask for classification, ports in classes.items() if ports & mask}
    if not here:
        return []
    limited = coverage != EVERY_PORT
    if len(here) == 1 and not limited:
        classification = next(iter(here))
        # What the rules alone say holds for exactly the ports they say it of.
        if not classification.by_rules:
            return [PortRun(low, high, classification)]
    return _stretched(interval, _consecutive(here), limited)


def _consecutive(here: PortClasses) -> list[PortRun]:
    """
    Runs over the ports that classes speak of, ascending.

    Ports of one classification join over ports that none speaks of; what the rules say of unprobed ports joins the
    probed ones beside them when the verdict is the same.
    """
    spoken = ((lo, hi, classification) for classification, ports in here.items() for lo, hi in bits.to_intervals(ports))
    runs: list[PortRun] = []
    for lo, hi, classification in sorted(spoken, key=lambda piece: piece[:2]):
        if runs and _join(runs[-1], lo, classification):
            kept = runs[-1].classification if classification.by_rules else classification
            runs[-1] = PortRun(runs[-1].low, hi, kept, runs[-1].exact or classification.by_rules)
        else:
            runs.append(PortRun(lo, hi, classification, classification.by_rules))
    return runs


def _join(run: PortRun, low: int, classification: Classification) -> bool:
    touching = run.high == low - 1
    if run.classification == classification and not classification.by_rules:
        return touching or not run.exact
    here = run.classification
    same = (here.expected, here.verdict, here.culprit) == (
        classification.expected,
        classification.verdict,
        classification.culprit,
    )
    return touching and same and (here.by_rules or classification.by_rules)


def _stretched(interval: Interval, runs: list[PortRun], limited: bool) -> list[PortRun]:
    """
    Give the ports between runs, which no classification speaks of, to a neighbour, so that the cells leave no port of
    the interval out.

    A good neighbour takes them before a doubtful one, and that before a bad one; what the rules alone say is never
    stretched. Between two such runs they become a good run of their own, if the interval has anything good at all.
    """
    if limited:
        return runs
    low, high = interval
    good = next((run.classification for run in runs if _reluctance(run) == 0), None)
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
        return [PortRun(start, after.high, after.classification)]
    before[-1] = PortRun(before[-1].low, end, before[-1].classification)
    return rest


_NEVER = 3


def _reluctance(run: PortRun) -> int:
    if run.exact:
        return _NEVER
    return {CellVerdict.OK: 0, CellVerdict.UNPROVEN: 1}.get(run.classification.verdict, 2)


def _cell(pair: Pair, protocol: str, run: PortRun, rows: tuple[str, ...], evidence: StreamEvidence) -> Cell:
    mask = bits.from_intervals([(run.low, run.high)])
    probed = pair.probed.get(protocol, 0) & mask
    classification = run.classification
    counted = None if classification.by_rules or not probed else _counted(evidence, probed, classification)
    return Cell(
        source=pair.source,
        destination=pair.destination,
        address=str(pair.address),
        protocol=protocol,
        port_lo=run.low,
        port_hi=run.high,
        plane=pair.plane,
        expected=classification.expected,
        seen=classification.seen,
        verdict=classification.verdict,
        culprit=classification.culprit,
        rows=rows,
        probed=0 if classification.by_rules else probed.bit_count(),
        evidence=counted,
        note=classification.note,
        answered=evidence.answered if classification.seen == PortState.OPEN else "",
    )


def _counted(evidence: StreamEvidence, ports: int, classification: Classification) -> CellEvidence:
    blind = classification.verdict == CellVerdict.UNPROVEN and classification.culprit in (
        Culprit.SOURCE,
        Culprit.WITNESS,
    )
    return CellEvidence(
        sent=None if blind and classification.culprit == Culprit.SOURCE else (evidence.sent & ports).bit_count(),
        arrived=None if blind else (evidence.arrived & ports).bit_count(),
        passed=None if blind else (evidence.passed & ports).bit_count(),
        reply=_reply(evidence, ports),
    )


def _reply(evidence: StreamEvidence, ports: int) -> str:
    for word, seen in (("syn-ack", evidence.synack), ("data", evidence.data), ("rst", evidence.rst)):
        if seen & ports:
            return word
    return next((f"icmp {name}" for name, seen in evidence.icmp.items() if seen & ports), "none")
