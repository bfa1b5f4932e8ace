"""What of Kubernetes is on a host: units, processes, mounts, links, rules, files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.checkout import HOST_SCRIPTS
from model.errors import ProtocolError

if TYPE_CHECKING:
    from nornir.core.inventory import Host

SCRIPT = HOST_SCRIPTS / "node-remains.sh"
_SECONDS = 120.0
_MANY = {"process": "processes"}


@dataclass(frozen=True, slots=True)
class Trace:
    """
    One thing: its kind (`unit`, `process`, `mount`, `namespace`, `link`, `table`, `chain`, `path`, `stranger`) and
    which.
    """

    kind: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind} {self.what}"


def observe(host: Host) -> tuple[Trace, ...]:
    """
    List them; nothing is changed. A `stranger` is a namespace of containerd's in which somebody else has containers.

    Raises `ProtocolError` for an answer that is cut short, and what running a command raises.
    """
    from remote.shell import run

    script = f"{SCRIPT.read_text('utf-8')}\nmf_remains\n"
    done = run(host, ("sh", "-s"), stdin=script.encode(), root=True, timeout=_SECONDS).check(host)
    return parse(host.name, done.stdout.decode("utf-8", "replace"))


def parse(host: str, answer: str) -> tuple[Trace, ...]:
    """Read the answer."""
    lines = answer.splitlines()
    if not lines or lines[-1] != "end":
        raise ProtocolError(host, "the answer about what is left of Kubernetes is cut short", "is it out of memory?")
    return tuple(Trace(*line.split(" ", 1)) for line in lines[:-1])


def foreign_namespaces(traces: Iterable[Trace]) -> tuple[str, ...]:
    """Return the namespaces of containerd's that somebody else uses."""
    return tuple(trace.what for trace in traces if trace.kind == "stranger")


def running(traces: Iterable[Trace]) -> list[Trace]:
    """Return what of Kubernetes runs; the gate of node ports is the firewall's."""
    return [
        trace
        for trace in traces
        if trace.kind in ("unit", "process") and not trace.what.startswith("matrix-fleet-nodeports")
    ]


def counted(traces: Iterable[Trace]) -> str:
    """Say how many there are of each kind."""
    counts: dict[str, int] = {}
    for trace in traces:
        counts[trace.kind] = counts.get(trace.kind, 0) + 1
    return ", ".join(f"{count} {_MANY.get(kind, f'{kind}s') if count > 1 else kind}" for kind, count in counts.items())
