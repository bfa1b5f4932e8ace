"""The cells of rows of the pod plane that no probe pod can stand for."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from model.report.report import Cell
from model.report.words import CellVerdict, Plane, PortState
from model.site.rows import WORDS, Row
from model.site.site import Site

# Ends of pod rows at which agents run.
_WITNESSED = frozenset({"pods", "nodes"})


def pod_ends(row: Row) -> tuple[str, str]:
    """Return the names of the two ends of a pod row: its components, or what its ends say."""
    return ",".join(row.pod_from) or "pods", ",".join(row.pod_to or row.destination_ends)


def pod_cells(site: Site, absent: str, proven: Collection[str] = ()) -> Iterator[Cell]:
    """
    Yield rows of the pod plane as not run: all of them where pods are `absent` and why, else those of components that
    no pair was `proven` by. What leads from pods to servers is proven by idle pods.
    """
    for row in site.active_rows:
        to_servers = any(site.machines_at(end) for end in row.destination_ends)
        if row.plane != "pod" or row.name in proven or (to_servers and not absent):
            continue
        source, destination = pod_ends(row)
        for low, high in row.intervals:
            yield Cell(
                source=source,
                destination=destination,
                address="",
                protocol=row.protocol,
                port_lo=low,
                port_hi=high,
                plane=Plane.POD,
                expected=PortState.OPEN,
                seen=PortState.UNKNOWN,
                verdict=CellVerdict.NOT_RUN,
                rows=(row.name,),
                note=absent or _why(row),
            )


def _why(row: Row) -> str:
    """Say why nobody has proven a row: its other end is nobody's agent, or nothing of its components runs."""
    others = {*row.source_ends, *row.destination_ends} - _WITNESSED
    return "no agent runs at its other end" if others & WORDS else "its components do not run yet"
