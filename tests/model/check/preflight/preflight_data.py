"""Hosts with nothing wrong, made from what a real one said, and hosts with exactly one thing wrong."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from model.bundle.bundle import Bundle
from model.bundle.bundle import parse as parse_bundle
from model.check.preflight.questions import name_servers, questions
from model.host.dns_wire import DnsAnswer
from model.host.machine_facts import Asked, Connect, Filesystem, MachineFacts
from model.host.machine_facts import Path as Way
from model.host.shared_facts import Link, Names
from model.site.hosts import Machine
from model.site.names import records
from model.site.site import Site
from remote.facts.machine import parse

FOLDER = Path(__file__).parents[3] / "data" / "machine"
MARK = "mf-golden"
DISK = Filesystem(
    kind="ext4",
    size=200 * 2**20,
    free=150 * 2**20,
    inodes=10_000_000,
    inodes_free=9_000_000,
    source="/dev/vda1",
    mount="/",
)


@cache
def golden(name: str) -> MachineFacts:
    """Return what a host of the lab really said."""
    return parse(name, MARK, answer(name), (0.0, 0.0))


def answer(name: str) -> bytes:
    """Return the text of it; a node's, with all its rules, is kept compressed."""
    packed = FOLDER / f"{name}.gz"
    return gzip.decompress(packed.read_bytes()) if packed.exists() else (FOLDER / name).read_bytes()


def healthy(site: Site) -> dict[str, MachineFacts]:
    """Return facts of every server, as servers that could become nodes at once would tell them."""
    return dict(_all_healthy(site))


@lru_cache(maxsize=4)
def _all_healthy(site: Site) -> Mapping[str, MachineFacts]:
    return {machine.name: _healthy(site, machine, number) for number, machine in enumerate(site.servers)}


def _healthy(site: Site, machine: Machine, number: int) -> MachineFacts:
    base = golden("bookworm-bare-cp-1")
    link = Link(
        name="eth0",
        mac=f"02:00:00:00:01:{number:02x}",
        mtu=1500,
        speed=10000,
        up=True,
        virtual=False,
        addresses=tuple(a for _, a in machine.every),
    )
    loopback = next(interface for interface in base.network.links if interface.name == "lo")
    return replace(
        base,
        system=replace(
            base.system, cgroup="v2", apparmor=True, controllers=frozenset(("cpu", "cpuset", "memory", "pids"))
        ),
        hardware=replace(base.hardware, filesystems=dict.fromkeys(base.hardware.filesystems, DISK)),
        identity=replace(
            base.identity, hostname=machine.name, machine_id=f"{number:032x}", product_uuid=f"uuid-{number}"
        ),
        clock=replace(base.clock, least=-0.01, most=0.01, synchronised=True),
        network=replace(base.network, links=(link, loopback)),
        asked=_asked(site, machine),
    )


def _asked(site: Site, machine: Machine) -> Asked:
    wanted = questions(site, machine)
    return Asked(
        Names({str(server): _names(site, machine) for server in name_servers(site, machine)}),
        {place: Connect("silent") for place in wanted.connects},
        {address: Way(1500, True, True) for address in wanted.paths},
    )


def _names(site: Site, machine: Machine) -> tuple[DnsAnswer, ...]:
    view = "li" if site.isolated(machine) else "main"
    own = {record.name: record.addresses for record in records(site) if record.view == view}
    listed = []
    for name in sorted({record.name for record in records(site)}):
        for version in (4, 6):
            addresses = tuple(a for a in own.get(name, ()) if a.version == version)
            listed.append(DnsAnswer(name, version, 0 if name in own else 3, addresses))
    return tuple(listed)


def but(facts: MachineFacts, changes: Mapping[str, Any]) -> MachineFacts:
    """Return the facts with values changed, by their dotted names."""
    for place, value in changes.items():
        facts = _but(facts, place.split("."), value)
    return facts


def _but(whole: Any, place: list[str], value: Any) -> Any:
    if not place:
        return value
    assert is_dataclass(whole)
    assert place[0] in {field.name for field in fields(whole)}
    return replace(whole, **{place[0]: _but(getattr(whole, place[0]), place[1:], value)})  # type: ignore[type-var]


def bundle(**changes: object) -> Bundle:
    """Return a bundle's table of contents, with nothing but containerd in it."""
    import json

    sha = "0" * 64
    item = {
        "kind": "binary",
        "name": "containerd",
        "version": "2.3.1",
        "file": "binaries/containerd.gz",
        "size": 1,
        "sha256": sha,
        "target": "/usr/local/bin/containerd",
        "mode": "0755",
        "content_sha256": sha,
        "content_size": 1,
        "needed": "nodes",
    }
    item["version"] = changes.pop("containerd", item["version"])
    answers = {
        "schema": "matrix-fleet/bundle/1",
        "name": "b",
        "kubernetes": "1.36.3",
        "architecture": "amd64",
        "suites": ["bookworm"],
        "items": [item],
        **changes,
    }
    return parse_bundle(json.dumps(answers))
