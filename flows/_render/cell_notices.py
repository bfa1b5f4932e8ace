"""Cells of a verification with one story as one notice, with a next step."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from flows._render.document import Document, blamed_host
from flows._render.notice import Notice
from flows._render.words import counted, names, ports
from model.packets.ruling import removal
from model.verify.address_faults import ABSENT, TWICE, blamed
from model.verify.pods import is_component, is_pod, node_of
from model.verify.rule_verdicts import RULE
from model.verify.verdicts import BLACKHOLE, LOSSY, NO_ROUTE

# Cells of these culprits say nothing of ports: an end was blind or mute for all of them alike.
_ABOUT_AN_END = {"witness": "to", "source": "from"}

_STEPS = {
    "source-egress": "look at the chain OUTPUT of {focus} with `iptables-save`: no row of the matrix closes it",
    "destination-firewall": "run `python -m flows.firewall --dry-run --limit {limit}`; without it ufw is mended, "
    "others' rules are named",
    "path": "look at the router between {peers} and {focus}, or ask the network team with the firewall request",
    "nat": "find who translates addresses between {peers} and {focus}",
    "listener": "start the declared service on {focus}; `ss -lntup` there shows what listens",
    "wrong-process": (
        "see with `ss -lntup` on {focus} what holds the port, or correct its row's `process` in ports.yaml"
    ),
    "witness": "see what is said of {focus} itself, mend it, then run again",
    "source": "see what is said of {focus} itself, mend it, then run again",
    "model": "compare the rows in ports.yaml with what the site needs",
}
_ROUTE = "see with `ip route get ADDRESS` and `ip rule` on {focus} which route that is, and who set it"
_ADDRESS = "see what is said of the addresses of {focus} itself, mend it, then run again"
_TWICE = "see in the outcome `addresses` which host has that address too, and take it away there"
_MEND = "mend what loses packets between {peers} and {focus} (`ip -s link` counts drops at each end), then run again"
_UNENFORCED = "see with `kubectl get networkpolicies -A` what is there, and by `cni` in site.yaml what enforces it"
_SERVICE = re.compile(r"Service ([^/ ]+)/([^ :]+)")
_SERVICE_STEPS = {
    "listener": "see with `kubectl -n NAMESPACE describe service SERVICE` which of its pods are ready",
    "destination-firewall": "see with `nft list table inet matrix_fleet` on {focus} whom it admits; "
    "`python -m flows.bootstrap` writes it",
}


@dataclass(slots=True)
class _Group:
    """Cells with one story: by focus host, by ports, the peers at the other end."""

    first: int
    ports: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    families: set[int] = field(default_factory=set)
    count: int = 0
    firsts: dict[tuple[str, str], int] = field(default_factory=dict)


def following(cells: Iterable[Document], causes: Collection[str]) -> dict[str, Counter[str]]:
    """
    Count, by host, the cells that are unproven because one of the hosts of `causes` was blind or mute, of which more is
    told elsewhere: `to` it and `from` it.
    """
    counts: dict[str, Counter[str]] = {}
    for cell in cells:
        if _follows(cell, causes):
            counts.setdefault(node_of(blamed_host(cell)), Counter())[_ABOUT_AN_END[cell["culprit"]]] += 1
    return counts


def misplaced(cells: Iterable[Document], hosts: Collection[str]) -> dict[str, Counter[str]]:
    """Count, by host, the verdicts of cells that follow from what is told of addresses at one of `hosts`."""
    counts: dict[str, Counter[str]] = {}
    for cell in cells:
        if holders := _misplaced_by(cell, hosts):
            counts.setdefault(holders[0], Counter())[cell["verdict"]] += 1
    return counts


def _misplaced_by(cell: Document, hosts: Collection[str]) -> list[str]:
    if cell["verdict"] not in ("violation", "unproven"):
        return []
    return [host for host in blamed(cell.get("note", "")) if host in hosts]


def _follows(cell: Document, causes: Collection[str]) -> bool:
    ended = cell["verdict"] == "unproven" and cell["culprit"] in _ABOUT_AN_END
    return ended and node_of(blamed_host(cell)) in causes


def cell_notices(
    cells: Iterable[Document], causes: Collection[str] = (), misplacing: Collection[str] = ()
) -> list[Notice]:
    """
    Fold cells that are not ok by story; cells not run are counted by plane. What follows from the silence of the hosts
    of `causes`, or from addresses that hosts of `misplacing` have or lack, is left out.
    """
    groups: dict[tuple[str, ...], _Group] = {}
    families: set[int] = set()
    for index, cell in enumerate(cells):
        family = 6 if ":" in cell["address"] else 4
        families.add(family)
        if cell["verdict"] != "ok" and not _follows(cell, causes) and not _misplaced_by(cell, misplacing):
            group = groups.setdefault(_key(cell), _Group(index))
            _add(group, cell, family, index)
    shown: list[Notice] = []
    for key, group in groups.items():
        shown += _notices(key, group, families)
    return shown


def _key(cell: Document) -> tuple[str, ...]:
    verdict, culprit = cell["verdict"], cell["culprit"]
    if verdict == "not_run":
        return verdict, culprit, "", "", cell.get("note", "") or f"plane {cell['plane']}"
    if culprit in _ABOUT_AN_END:
        return verdict, culprit, "", "", cell.get("note", "")
    return verdict, culprit, cell["expected"], cell["seen"], cell.get("note", "")


def _add(group: _Group, cell: Document, family: int, index: int) -> None:
    focus = blamed_host(cell)
    peer = cell["from"] if focus == cell["to"] else cell["to"]
    if focus == cell["to"] and cell["plane"] == "external":
        focus = f"{focus} (external address)"
    group.families.add(family)
    group.count += 1
    here = group.ports.setdefault(focus, {})
    stretch = ports(cell["port_lo"], cell["port_hi"], cell["protocol"])
    here.setdefault(stretch, set()).add(peer)
    group.firsts.setdefault((focus, stretch), index)


def _notices(key: tuple[str, ...], group: _Group, families: set[int]) -> list[Notice]:
    verdict, culprit, _, _, note = key
    only = f" over IPv{next(iter(group.families))} only" if len(group.families) < len(families) else ""
    cells = counted(group.count, "cell")
    focuses = tuple(group.ports)
    if verdict == "not_run":
        return [
            Notice(
                level="not_run",
                title=f"{cells} not run: {note}",
                next="",
                hosts=(),
                count=group.count,
                first=str(group.first),
            )
        ]
    if culprit in _ABOUT_AN_END:
        ends = f"{cells} {_ABOUT_AN_END[culprit]} {names(focuses)}"
        title = f"{ends} {verdict}, because of the {culprit}{_because(note)}{only}"
        return [
            Notice(
                level=verdict,
                title=title,
                next=_step(culprit, note, focuses, ()),
                hosts=focuses,
                count=group.count,
                first=str(group.first),
            )
        ]
    merged = _merged(group)
    return [_story(key, where, peers, only, group) for where, peers in merged.items()]


def _merged(group: _Group) -> dict[tuple[tuple[str, ...], tuple[str, ...]], set[str]]:
    """Put ports with the same peers together, then focus hosts with the same ports; peers by (ports, focus hosts)."""
    by_ports: dict[tuple[str, ...], dict[str, set[str]]] = {}
    for focus, stretches in group.ports.items():
        same: dict[frozenset[str], list[str]] = {}
        for stretch, peers in stretches.items():
            same.setdefault(frozenset(peers), []).append(stretch)
        for group_of_peers, together in same.items():
            by_ports.setdefault(tuple(together), {})[focus] = set(group_of_peers)
    return {(where, tuple(focuses)): set().union(*focuses.values()) for where, focuses in by_ports.items()}


def _story(
    key: tuple[str, ...], where: tuple[tuple[str, ...], tuple[str, ...]], peers: set[str], only: str, group: _Group
) -> Notice:
    verdict, culprit, expected, seen, note = key
    stretches, focuses = where
    outward = culprit == "source-egress"
    others = counted(len(peers), "destination" if outward else "source")
    place = f"{names(stretches)} {'from' if outward else 'at'} {names(focuses)}"
    who = f"{others} ({names(sorted(peers))})"
    title = f"{place}: {_as_seen(expected, seen, verdict)} {'to' if outward else 'from'} {who}"
    if verdict != "waived" and culprit:
        title += f", culprit {culprit}"
    title += f"{_because(note)}{only}"
    step = "" if verdict == "waived" else _step(culprit, note, focuses, tuple(sorted(peers)))
    count = sum(len(group.ports[focus][stretch]) for focus in focuses for stretch in stretches)
    return Notice(
        level=verdict,
        title=title,
        next=step,
        hosts=focuses,
        count=count,
        first=str(group.firsts[focuses[0], stretches[0]]),
    )


def _as_seen(expected: str, seen: str, verdict: str) -> str:
    if verdict == "unproven":
        return f"must be {expected}, unproven"
    if expected == seen:
        return f"{seen} as declared, but for the wrong reason"
    return f"must be {expected}, {'is not by the rules' if seen == 'unknown' else f'is {seen}'}"


def _because(note: str) -> str:
    return f": {note}" if note else ""


def _step(culprit: str, note: str, focuses: tuple[str, ...], peers: tuple[str, ...]) -> str:
    if rule := note.partition(RULE)[2]:
        hosts = list(dict.fromkeys(focus.split(" ")[0] for focus in focuses))
        return f"find what set that rule on {names(hosts)} and stop that, then `{removal(rule)}` there"
    step = _STEPS.get(culprit, "look at the evidence of the cell in report.html")
    if LOSSY in note:
        step = _MEND
    elif culprit == "source-egress" and note in (NO_ROUTE, BLACKHOLE):
        step = _ROUTE
    elif culprit == "model" and ABSENT in note:
        step = _ADDRESS
    elif culprit == "nat" and note.endswith(TWICE):
        step = _TWICE
    elif culprit == "path" and (all(map(is_pod, focuses)) or all(map(is_component, peers))):
        step = _UNENFORCED
    elif service := _SERVICE.search(note):
        step = _SERVICE_STEPS.get(culprit, step).replace("SERVICE", service[2]).replace("NAMESPACE", service[1])
    hosts = list(dict.fromkeys(focus.split(" ")[0] for focus in focuses))
    return step.format(focus=names(hosts), limit=",".join(hosts), peers=names(peers, 3))
