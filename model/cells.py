"""How do sets of ports under stories become the cells of a report?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model import bits
from model.pairs import EVERY_PORT, Pair
from model.report import Cell, Evidence
from model.rows import Interval
from model.verdicts import Packets, Stories, Story


@dataclass(frozen=True, slots=True)
class Run:
    """Ports lo..hi of one declared interval under one story."""

    low: int
    high: int
    story: Story


def cells(pair: Pair, protocol: str, stories: Stories, packets: Packets, coverage: int = EVERY_PORT) -> Iterator[Cell]:
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


def _runs(interval: Interval, stories: Stories, coverage: int) -> list[Run]:
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
            return [Run(low, high, story)]
    return _stretched(interval, _consecutive(here), limited)


def _consecutive(here: Stories) -> list[Run]:
    """
    Runs over the ports that stories speak of, ascending.

    Ports of one story join over ports that no story speaks of; what the rules say of unprobed ports joins the probed ones beside
    them when the verdict is the same.
    """
    spoken = ((lo, hi, story) for story, ports in here.items() for lo, hi in bits.to_intervals(ports))
    runs: list[Run] = []
    for lo, hi, story in sorted(spoken, key=lambda piece: piece[:2]):
        if runs and _join(runs[-1], lo, story):
            told = runs[-1].story if story.by_rules else story
            runs[-1] = Run(runs[-1].low, hi, told)
        else:
            runs.append(Run(lo, hi, story))
    return runs


def _join(run: Run, low: int, story: Story) -> bool:
    if run.story == story and not story.by_rules:
        return True
    touching = run.high == low - 1
    same = (run.story.expected, run.story.verdict, run.story.culprit) == (story.expected, story.verdict, story.culprit)
    return touching and same and (run.story.by_rules or story.by_rules)


def _stretched(interval: Interval, runs: list[Run], limited: bool) -> list[Run]:
    """Let good runs take the unspoken ports around them, so that the cells leave no port of the interval out."""
    if limited:
        return runs
    low, high = interval
    result: list[Run] = []
    for index, run in enumerate(runs):
        start, end = run.low, run.high
        if run.story.verdict == "ok":
            start = result[-1].high + 1 if result else low
            end = runs[index + 1].low - 1 if index + 1 < len(runs) else high
        result.append(Run(start, end, run.story))
    return result


def _cell(pair: Pair, protocol: str, run: Run, rows: tuple[str, ...], packets: Packets) -> Cell:
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


def _evidence(packets: Packets, ports: int, story: Story) -> Evidence:
    blind = story.verdict == "unproven" and story.culprit in ("source", "witness")
    return Evidence(
        sent=None if blind and story.culprit == "source" else (packets.sent & ports).bit_count(),
        arrived=None if blind else (packets.arrived & ports).bit_count(),
        passed=None if blind else (packets.passed & ports).bit_count(),
        reply=_reply(packets, ports),
    )


def _reply(packets: Packets, ports: int) -> str:
    for word, seen in (("syn-ack", packets.synack), ("data", packets.data), ("rst", packets.rst)):
        if seen & ports:
            return word
    return next((f"icmp {name}" for name, seen in packets.icmp.items() if seen & ports), "none")
