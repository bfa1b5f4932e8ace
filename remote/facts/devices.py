"""What decides about packets at a host's devices, outside netfilter's tables, as its own tools tell it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from model.checkout import HOST_SCRIPTS
from model.packets.devices import DeviceProgram, Devices
from remote.facts.sections import MISSING

SCRIPT = HOST_SCRIPTS / "device-programs.sh"
_WAYS: Mapping[str, Literal["in", "out"]] = {"ingress": "in", "egress": "out"}
_MODULE = ["sch_ingress", "module"]


def text() -> str:
    """Return the script that defines `mf_devices`; it prints sections, which others begin and end."""
    return SCRIPT.read_text("utf-8")


def read(parts: Mapping[str, str]) -> Devices:
    """Read what `mf_devices` printed; raises KeyError and ValueError for what is not there or not understood."""
    lines = [line.split() for line in parts["devices"].splitlines() if line.strip()]
    known = [words for words in lines if words != _MODULE]
    programs = dict.fromkeys((*_xdp(parts), *_filters(parts), *_bpf(parts), *_untold(parts, _MODULE in lines)))
    return Devices(
        programs=tuple(programs),
        lower={words[0]: tuple(words[2:]) for words in known if words[2:]},
        # A host has at least its loopback: without any, nobody looked.
        bridges=frozenset(words[0] for words in known if words[1] == "bridge") if known else None,
    )


def _xdp(parts: Mapping[str, str]) -> Iterator[DeviceProgram]:
    for link in _json(parts["device-links"]):
        if link.get("xdp"):
            yield _at_xdp(str(link["ifname"]))


def _at_xdp(device: str) -> DeviceProgram:
    return DeviceProgram(
        words=f"xdp at {device} (`ip -d link show dev {device}`)", device=device, ways=frozenset({"in"})
    )


def _filters(parts: Mapping[str, str]) -> Iterator[DeviceProgram]:
    for line in parts["tc-filters"].splitlines():
        words = line.split()
        if words[2:3] == ["filter"]:
            device, way = words[:2]
            shown = f"tc at {device} {way} (`tc filter show dev {device} {way}`)"
            yield DeviceProgram(words=shown, device=device, ways=frozenset({_WAYS[way]}))


def _bpf(parts: Mapping[str, str]) -> Iterator[DeviceProgram]:
    """What bpftool alone shows; without it, or where it may not look, nothing."""
    for shown in _json(parts["net-programs"]):
        for entry in shown.get("xdp", ()):
            yield _at_xdp(str(entry["devname"]))
        for entry in shown.get("tc", ()):
            kind, _, way = str(entry.get("kind", "")).partition("/")
            device = str(entry["devname"])
            if kind == "tcx" and way in _WAYS:
                words = f"tcx at {device} {way} (`bpftool net show dev {device}`)"
                yield DeviceProgram(words=words, device=device, ways=frozenset({_WAYS[way]}))
        if shown.get("netfilter"):
            yield DeviceProgram(words="bpf programs at netfilter's hooks (`bpftool net show`)")
    for entry in _json(parts["cgroup-programs"]):
        way = str(entry.get("attach_type", "")).removeprefix("cgroup_inet_")
        if way in _WAYS:
            words = f"bpf program of the root cgroup, {way} (`bpftool cgroup show /sys/fs/cgroup`)"
            yield DeviceProgram(words=words, ways=frozenset({_WAYS[way]}))


def _untold(parts: Mapping[str, str], may_filter: bool) -> Iterator[DeviceProgram]:
    for name, command in (("device-links", "ip -j link"), ("tc-queues", "tc qdisc show")):
        code = parts[f"end of {name}"].strip()
        if code not in ("0", MISSING):
            yield DeviceProgram(words=f"programs at devices that nobody could list (`{command}`)")
        elif code == MISSING and name == "tc-queues" and may_filter:
            yield DeviceProgram(words="filters of tc, which no tc is there to list (`command -v tc`)")


def _json(text: str) -> list[dict[str, Any]]:
    return [entry for entry in json.loads(text) if entry] if text.strip() else []
