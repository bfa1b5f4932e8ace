"""The request to the organisation's firewall team, as a page and as CSV."""

from __future__ import annotations

import csv
from io import StringIO

from flows._render.words import table
from model.matrix.request import RequestedFlow, flows
from model.site.site import Site

_COLUMNS = (
    "number",
    "border",
    "direction",
    "source",
    "destination",
    "translated_to",
    "protocol",
    "ports",
    "duration",
    "purpose",
    "row",
)


def as_markdown(site: Site) -> str:
    """Return the request as a page: one table a border, one line a rule."""
    asked = list(enumerate(flows(site), 1))
    contact = site.settings.perimeter.contact or site.settings.organisation_contact or "the firewall team"
    parts = [
        f"# Firewall request for {site.name} ({site.settings.domain})\n",
        f"To {contact}: please let these {len(asked)} flows through, and nothing else across these borders.",
        "Connections are opened from the source only; answers come back by connection tracking. `installation` may be",
        "closed again once we say so; we prove afterwards that it is. Ports are the destination's. `NAT to` is where"
        " an",
        "external address leads; ports stay the same.\n",
    ]
    for border in dict.fromkeys(flow.border for _, flow in asked):
        chosen = [(number, flow) for number, flow in asked if flow.border == border]
        parts += [
            f"## {border[0].upper()}{border[1:]}\n",
            _table(chosen, any(flow.translated for _, flow in chosen)),
            "",
        ]
    return "\n".join(parts)


def _table(chosen: list[tuple[int, RequestedFlow]], nat: bool) -> str:
    header = ("#", "direction", "source", "destination", *(("NAT to",) if nat else ()), "port", "duration", "purpose")
    lines = [
        (
            str(number),
            flow.direction,
            ", ".join(flow.sources),
            ", ".join(flow.destinations),
            *((", ".join(flow.translated) or "-",) if nat else ()),
            f"{flow.ports}/{flow.protocol}" if flow.ports else flow.protocol,
            flow.duration,
            flow.purpose,
        )
        for number, flow in chosen
    ]
    return table(header, lines)


def as_csv(site: Site) -> str:
    """Return the request as CSV with a header; several addresses in one field are separated by spaces."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for number, flow in enumerate(flows(site), 1):
        writer.writerow(
            (
                number,
                flow.border,
                flow.direction,
                *(" ".join(part) for part in (flow.sources, flow.destinations, flow.translated)),
                flow.protocol,
                flow.ports,
                flow.duration,
                flow.purpose,
                flow.row,
            )
        )
    return text.getvalue()
