"""Rules of listeners: every service can have the ports it is to listen on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.lint.flaw import LintView, flaw
from model.check.lint.subjects.matrix import place
from model.matrix.matrix import rows_to
from model.site.rows import Row

# What the kernel gives to outgoing connections unless told otherwise (net.ipv4.ip_local_port_range).
EPHEMERAL = (32768, 60999)


def port_clash(view: LintView) -> Iterator[Finding]:
    """Find hosts on which two services of different owners must listen on one port."""
    for machine in view.site.servers:
        for row, other in combinations(rows_to(view.site, machine), 2):
            shared = _shared(row, other)
            if shared and row.process and other.process and not set(row.process) & set(other.process):
                low, high = shared
                message = f"`{row.name}` ({row.process[0]}) and `{other.name}` ({other.process[0]}) both need it"
                span = f"{low}-{high}/{other.protocol}" if high > low else f"{low}/{other.protocol}"
                fix = "put them on different hosts, or narrow one row's ports"
                yield flaw(
                    "ports.yaml",
                    place(view.site, other),
                    value=span,
                    message=f"{machine.name}: {message}",
                    fix=fix,
                    host=machine.name,
                )


def _shared(row: Row, other: Row) -> tuple[int, int] | None:
    if row.protocol != other.protocol:
        return None
    for left in row.intervals:
        for right in other.intervals:
            low, high = max(left[0], right[0]), min(left[1], right[1])
            if low <= high:
                return low, high
    return None


def ephemeral(view: LintView) -> Iterator[Finding]:
    """Find ranges of listeners among the ports the kernel hands to outgoing connections."""
    hosts: dict[str, list[str]] = defaultdict(list)
    for machine in view.site.servers:
        for row in rows_to(view.site, machine):
            hosts[row.name].append(machine.name)
    for row in view.site.active_rows:
        low, high = max(((0, 0), *row.intervals), key=lambda pair: pair[1] - pair[0])
        if row.name in hosts and high > low and low <= EPHEMERAL[1] and high >= EPHEMERAL[0]:
            message = f"overlaps the ephemeral ports {EPHEMERAL[0]}-{EPHEMERAL[1]} of {', '.join(hosts[row.name])}"
            fix = "reserve the range there (net.ipv4.ip_local_reserved_ports)"
            yield flaw(
                "ports.yaml", place(view.site, row), value=f"{low}-{high}/{row.protocol}", message=message, fix=fix
            )


def livekit_mode(view: LintView) -> Iterator[Finding]:
    """Find media rows of LiveKit that do not follow its one RTC mode: a single port, or a range."""
    site = view.site
    rows = [row for row in site.active_rows if row.plane == "external" and "livekit-server" in row.process]
    media = [row for row in rows if row.protocol == "udp"]
    ranged = {low < high for row in media for low, high in row.intervals}
    if not site.settings.features.livekit:
        return
    chosen = site.settings.features.livekit_rtc
    if ranged != {chosen == "port_range"}:
        shown = ", ".join(f"{row.name} {row.ports[0]}" for row in media) or "none"
        message = f"the media rows do not fit livekit_rtc `{chosen}`; LiveKit has either one port or one range"
        fix = "one row `when: {feature: [livekit_udp_port]}`, one `when: {feature: [livekit_port_range]}`"
        yield flaw("ports.yaml", "rows (livekit media)", value=shown, message=message, fix=fix)


CHECKS = (
    Check(
        id="port-clash",
        why="Only one service can listen on a port of a host.",
        judge=port_clash,
    ),
    Check(
        id="port-ephemeral",
        severity=Severity.WARNING,
        why="An outgoing connection can take a port before its service does.",
        judge=ephemeral,
    ),
    Check(
        id="livekit-rtc-mode",
        why="LiveKit takes one UDP port or a range, never both.",
        judge=livekit_mode,
    ),
)
