"""A bundle's content and what it is good for, as people and programs read it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from flows._bundle.part import Part
from flows._render.summary import Line
from model.bundle.audit import lacking, networks
from model.bundle.bundle import MANIFEST, Bundle
from model.bundle.items import ImageItem, Item, PackageItem


def head(bundle: Bundle, folder: Path) -> list[Line]:
    """Return what a bundle is good for, and the one digest that stands for all of it."""
    return [
        Line(f"{bundle.name}: Kubernetes {bundle.kubernetes} for {bundle.architecture}", "bold"),
        Line(f"suites        {', '.join(bundle.suites)}", indent=2),
        Line(f"pod networks  {', '.join(networks(bundle)) or 'none'}", indent=2),
        Line(f"size          {readable(_total(bundle))} in {len(bundle.items)} files", indent=2),
        Line(f"sha256        {table_sha256(folder)} of {MANIFEST}", indent=2),
    ]


def lines(bundle: Bundle, folder: Path) -> list[Line]:
    """Return the bundle as a table, with what it is good for above it."""
    rows = [("kind", "name", "version", "size", "needed", "")]
    rows += [
        (item.kind, item.name, item.version, readable(item.size), _needed(item), _more(item)) for item in bundle.items
    ]
    missing = [Line(f"lacks         {fault}", "yellow", 2) for fault in lacking(bundle)]
    return [*head(bundle, folder), *missing, *_table(rows)]


def table_sha256(folder: Path) -> str:
    """Return the digest of the table of contents, which names every other one."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def entry(part: Part, *, here: bool) -> dict[str, object]:
    """Return a part for programs."""
    return {"what": part.title, "from": part.address, "size": part.size, "here": here}


def document(bundle: Bundle, folder: Path) -> str:
    """Return the same for programs: the table of contents, and what follows from it."""
    table = bundle.model_dump(mode="json", by_alias=True)
    table |= {"sha256": table_sha256(folder), "total": _total(bundle), "lacks": list(lacking(bundle))}
    table["good_for"] = {"minor": bundle.minor, "suites": list(bundle.suites), "networks": list(networks(bundle))}
    return json.dumps(table, indent=1) + "\n"


def wished(parts: Iterable[Part]) -> list[Line]:
    """Return what a download would fetch."""
    rows = [("what", "size", "from")]
    rows += [(part.title, readable(part.size), part.address or "made here") for part in parts]
    return _table(rows)


def pushed(references: Iterable[str]) -> list[Line]:
    """Return what is in the site's registry, as images.yaml names it."""
    return [Line(f"pushed: {reference}", indent=2) for reference in references]


def readable(size: int | None) -> str:
    """Return a number of bytes as people read it; `?` for an unknown one."""
    if size is None:
        return "?"
    if size < 1000:
        return f"{size} B"
    power = min((len(str(size)) - 1) // 3, 3)
    return f"{size / 1000**power:.1f} {('kB', 'MB', 'GB')[power - 1]}"


def _total(bundle: Bundle) -> int:
    return sum(item.size for item in bundle.items)


def _needed(item: Item) -> str:
    return item.needed.replace("_", " ")


def _more(item: Item) -> str:
    if isinstance(item, ImageItem):
        return item.digest
    return item.suite if isinstance(item, PackageItem) else ""


def _table(rows: Sequence[tuple[str, ...]]) -> list[Line]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        Line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), indent=2)
        for row in rows
    ]
