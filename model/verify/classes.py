"""The classes that the ports of a stream fall into: expected, seen, verdict, culprit, and a note for a person."""

from __future__ import annotations

from dataclasses import dataclass

from model.report.words import CellVerdict, Culprit, PortState


@dataclass(frozen=True, slots=True)
class Classification:
    """What is told of a set of ports; `by_rules` means that no packet was sent and the kernel's rules speak."""

    expected: PortState
    seen: PortState
    verdict: CellVerdict
    culprit: Culprit = Culprit.NONE
    note: str = ""
    by_rules: bool = False


PortClasses = dict[Classification, int]


def put(classes: PortClasses, classification: Classification, ports: int) -> None:
    """Add ports to a class."""
    if ports:
        classes[classification] = classes.get(classification, 0) | ports


def move(classes: PortClasses, ports: int, classification: Classification) -> None:
    """Move ports from whatever class they are in to another."""
    if not ports:
        return
    moved = 0
    for other, held in list(classes.items()):
        moved |= held & ports
        classes[other] = held & ~ports
    put(classes, classification, moved)
