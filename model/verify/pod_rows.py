"""The cells of rows of the pod plane that no probe pod can stand for."""

from __future__ import annotations

from collections.abc import Iterator

from model.report.report import Cell
from model.report.words import CellVerdict, Plane, PortState
from model.site.rows import Row
from model.site.site import Site


def pod_ends(row: Row) -> tuple[str, str]:
    """Return the names of the two ends of a pod row: its components, or what its ends say."""
    return ",".join(row.pod_from) or "pods", ",".join(row.pod_to or row.destination_ends)


def pod_cells(site: Site, absent: str) -> Iterator[Cell]:
    """
    Yield rows of the pod plane as not run: all of them where pods are `absent` and why, else those between components.
    """
    for row in site.active_rows:
        if row.plane != "pod" or not (absent or "pods" in row.destination_ends):
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
                note=absent or "its components do not run yet",
            )
