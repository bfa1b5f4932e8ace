"""
What real hosts of a small lab said, set up by bootstrap's phase for the operating system, and the same with something
changed.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from checks.check import ComplianceView, HostCheck, SiteCheck
from checks.discovery import every
from model.check.check import run
from model.check.finding import Verdict
from model.host.beside import Beside
from model.host.host_facts import HostFacts
from model.site.load import load_site
from model.site.site import Site
from model.ufw.next_boot import FileTrial, NextBoot
from model.ufw.state import AFTER, BEFORE, USER
from model.verify.pairs import pairs
from model.verify.proof import CellGroup, Proof
from remote.collector.reading import read

_DATA = Path(__file__).parents[1] / "data"
# Hosts before there is a cluster, and as one.
FOLDER, CLUSTER = _DATA / "collector", _DATA / "cluster"
NOW = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)
Change = Callable[[dict[str, Any]], None]
# Hosts of a lab know no security archive.
LAB = {(name, "updates/archive") for name in ("cp-1", "cp-2", "cp-3", "w-1", "db-1", "li-1")}
# Of features that these sites have not.
GATES_OF_OTHERS = frozenset({"gates/federation", "gates/mail", "gates/metrics", "gates/push"})


@cache
def site(of: Path = FOLDER) -> Site:
    """Return the site that the hosts were of."""
    return load_site(of / "site")


@cache
def _document(host: str, of: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(gzip.decompress((of / f"{host}.json.gz").read_bytes()))
    return document


@cache
def _as_it_was(host: str, of: Path) -> HostFacts:
    return seen(host, collected(host, of=of))


def seen(host: str, document: bytes) -> HostFacts:
    """Return what a host said, with nothing wrong in what it tells beside the collector."""
    facts = read(host, document)
    trials = tuple(FileTrial(path=path, code=0) for path in (*BEFORE.values(), *AFTER.values(), *USER.values()))
    return replace(facts, parts={**facts.parts, Beside: Beside(boot=NextBoot(how="loaded", trials=trials))})


@cache
def _proof(of: Path) -> Proof:
    return proof(of=of)


def collected(host: str, change: Change | None = None, of: Path = FOLDER) -> bytes:
    """Return a host's document, changed in its sections."""
    document = deepcopy(_document(host, of))
    if change is not None:
        change(document["sections"])
    return json.dumps(document).encode()


def view(changes: Mapping[str, Change] | None = None, of: Path = FOLDER, **others: Any) -> ComplianceView:
    """Return everything that was seen; `changes` by host."""
    changes = changes or {}
    names = [machine.name for machine in site(of).machines if machine.kind != "perimeter"]
    facts = {
        name: seen(name, collected(name, changes[name], of)) if name in changes else _as_it_was(name, of)
        for name in names
    }
    return replace(ComplianceView(site=site(of), now=NOW, facts=facts, proof=_proof(of)), **others)


def proof(hours: int = 1, of: Path = FOLDER, **verdicts: str) -> Proof:
    """Return a proof in which every pair was tried; `verdicts` by plane instead of ok."""
    planes = ("host", "external")
    cells = []
    for plane in planes:
        for pair in pairs(site(of), (plane,)):
            rows = tuple(row for opening in pair.openings for row in opening.rows)
            words = f"{pair.source} to {pair.destination} 443/tcp: declared open, seen closed"
            cells.append(
                CellGroup(
                    source=pair.source,
                    destination=pair.destination,
                    plane=plane,
                    verdict=verdicts.get(plane, "ok"),
                    rows=rows,
                    count=1,
                    examples=(words,),
                )
            )
    return Proof("20261126T030000Z-verify_ports", NOW - timedelta(hours=hours), tuple(cells))


def bad(seen: ComplianceView) -> dict[tuple[str, str], str]:
    """Return what is said of everything that is not good, by host and check."""
    return {place: words for place, words in _words(seen).items() if words}


def pending(seen: ComplianceView) -> set[tuple[str, str]]:
    """Return host and check of everything that is not due yet."""
    return {place for place, verdict in verdicts(seen).items() if verdict.pending}


def verdicts(seen: ComplianceView) -> dict[tuple[str, str], Verdict]:
    """Judge everything."""
    by_place: dict[tuple[str, str], Verdict] = {}
    for check in every():
        if isinstance(check, SiteCheck):
            by_place["controller", check.id] = run(check, seen)
        elif isinstance(check, HostCheck):
            for name, facts in seen.facts.items():
                machine = seen.site.by_name[name]
                if check.applies.holds(seen.site, machine):
                    by_place[name, check.id] = run(check, seen, machine, facts)
    return by_place


def _words(seen: ComplianceView) -> dict[tuple[str, str], str]:
    return {
        place: "; ".join(
            [*(finding.message for finding in verdict.findings), *([verdict.doubt] if verdict.doubt else [])]
        )
        for place, verdict in verdicts(seen).items()
    }
