"""Prove with witnessed packets that every port is open or closed as the port matrix declares."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows._run.cli import run
from flows._run.lifecycle import Context, FlowResult, run_flow
from flows._run.options import Options
from flows._run.shared import shared_flags
from model import bits
from model.errors import SelectionError, did_you_mean
from model.report import words


def _known_planes() -> list[str]:
    """Return what may stand behind --plane."""
    return list(words.Plane)


Depth = Annotated[
    Literal["boundaries", "sweep", "full"],
    typer.Option(
        help="boundaries: the edges and middle of every row's ports, and every listener, on every pair; "
        "sweep: every port once; full: all."
    ),
]
Stage = Annotated[
    Literal["auto", "before", "after"],
    typer.Option(
        help="before: nothing need listen; after: declared services must answer; auto: judge whatever listens."
    ),
]
Plane = Annotated[
    list[str] | None,
    typer.Option(
        help="host, pod or external; may be given more than once or as a comma list; all by default.",
        autocompletion=_known_planes,
    ),
]
Rate = Annotated[int, typer.Option(min=100, max=1_000_000, help="Packets a second a host, at most.")]
Source = Annotated[str | None, typer.Option(metavar="HOSTS", help="Only probes from these; hosts, roles, globs, `!x`.")]
Destination = Annotated[str | None, typer.Option(metavar="HOSTS", help="Only probes to these.")]
Ports = Annotated[
    str | None,
    typer.Option(metavar="LIST", help="Only these ports: `5432/tcp`, `1-1024/tcp,53/udp`; both protocols without one."),
]

Scheduled = Annotated[
    bool,
    typer.Option(
        "--scheduled",
        help="Probe as the identity of flows.schedule: with its key, by the agents that lie on the hosts.",
    ),
]


@shared_flags()
def main(
    *,
    options: Options,
    depth: Depth = "boundaries",
    stage: Stage = "auto",
    plane: Plane = None,
    rate: Rate = 20_000,
    source: Source = None,
    destination: Destination = None,
    ports: Ports = None,
    scheduled: Scheduled = False,
) -> int:
    """
    Prove with witnessed packets that every port is open or closed as the port matrix declares.

    Every host fires tagged probes at every other; every host records which arrived and which passed its firewall. A
    port is closed only when that was seen. Nothing is written on any host, no connection is ever completed.

    Example: python -m flows.verify_ports --destination db-1 --ports 5432/tcp
    """

    def body(context: Context) -> FlowResult:
        from flows._compliance.kept import prune
        from flows._fleet.hosts import close
        from flows._fleet.inventory import inventory as open_inventory
        from flows._ports.choice import ProbeOptions
        from flows._ports.verification import verify
        from flows._schedule.identity import assume, setting_of

        probe_options = ProbeOptions(
            depth=depth,
            stage=words.Stage(stage),
            planes=_planes(plane),
            rate=rate,
            source=source,
            destination=destination,
            only=_ports(ports),
        )
        nr = open_inventory(options.inventory)
        try:
            if scheduled:
                assume(nr, setting_of(context.site, options.inventory, Path(sys.executable)))
            return verify(nr, context, probe_options, scheduled=scheduled)
        finally:
            close(nr)
            if scheduled:
                prune(options.inventory, context.site.settings.compliance.keep_runs, "verify_ports")

    return run_flow("verify_ports", options, body)


def _planes(given: list[str] | None) -> tuple[words.Plane, ...]:
    known = tuple(words.Plane)
    chosen = [word.strip() for text in given or [] for word in text.split(",") if word.strip()]
    for word in chosen:
        if word not in known:
            near = did_you_mean(word, known)
            raise SelectionError(f"--plane {word}: no such plane{near}; one of {', '.join(known)}")
    return tuple(dict.fromkeys(map(words.Plane, chosen))) or known


def _ports(text: str | None) -> dict[str, int] | None:
    """Read `1-1024/tcp,53`; a port without a protocol means both."""
    if text is None:
        return None
    chosen = {"tcp": 0, "udp": 0}
    for word in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp))?\s*", word)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not match or not 1 <= low <= high <= 65535:
            raise SelectionError(
                f"--ports {word!r}: write a port or lo-hi within 1-65535, with /tcp or /udp or neither"
            )
        for protocol in (match[3],) if match[3] else chosen:
            chosen[protocol] |= bits.from_intervals([(low, high)])
    return chosen


if __name__ == "__main__":
    run(main, "flows.verify_ports")
