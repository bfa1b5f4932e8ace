"""The faults that are in the lab, and who asked for them: each a file, so that another command can mend it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from lab import sabotage
from lab.errors import LabError
from lab.fault import Fault
from lab.instance import Instance
from lab.plan import LabPlan
from lab.whole_file import write_whole


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asked to break; `port` as in 5432/tcp or 1-1024/udp, empty where the kind has none."""

    kind: str
    at: str
    source: str = ""
    port: str = ""


def cause(instance: Instance, plan: LabPlan, order: Order) -> Fault:
    """
    Break one thing and return the fault, by whose id it can be mended.

    Raises LabError when the order does not make sense. What was begun is written down even when it fails half-way.
    """
    kind = sabotage.kind(order.kind)
    at = plan.host(order.at)
    source = plan.host(order.source) if order.source else None
    protocol, ports = _port(order.port) if order.port else ("", "")
    if kind.needs_port and not ports:
        raise LabError(f"{order.kind} needs --port, as in --port 5432/tcp")
    if order.kind == "reject-rst" and protocol != "tcp":
        raise LabError("reject-rst answers with a TCP reset: --port .../tcp")
    fault = Fault(
        id=_next(instance),
        kind=order.kind,
        at=at.name,
        source=source.name if source else "",
        protocol=protocol,
        ports=ports,
    )
    _save(instance, fault)
    kind.cause(instance, plan, fault)
    return fault


def mend(instance: Instance, plan: LabPlan, name: str = "") -> Sequence[Fault]:
    """Undo one fault, or all; a host that lost its power since has nothing left to undo."""
    faults = [fault for fault in present(instance) if not name or fault.id == name]
    if name and not faults:
        raise LabError(f"no fault {name!r}; there are {', '.join(fault.id for fault in present(instance)) or 'none'}")
    for fault in faults:
        sabotage.kind(fault.kind).mend(instance, plan, fault)
        (instance.faults / f"{fault.id}.json").unlink()
    return faults


def present(instance: Instance) -> tuple[Fault, ...]:
    """Return the faults not mended yet, the oldest first."""
    files = sorted(instance.faults.glob("*.json"), key=lambda path: int(path.stem.removeprefix("f")))
    return tuple(Fault(**json.loads(file.read_text("utf-8"))) for file in files)


def _next(instance: Instance) -> str:
    taken = [int(fault.id.removeprefix("f")) for fault in present(instance)]
    return f"f{max(taken, default=0) + 1}"


def _save(instance: Instance, fault: Fault) -> None:
    write_whole(instance.faults / f"{fault.id}.json", json.dumps(asdict(fault)))


def _port(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(\d+)(?:-(\d+))?/(tcp|udp)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2] or match[1]) <= 65535:
        raise LabError(f"--port {text!r}: as in 5432/tcp or 49152-65535/udp, ports within 1-65535")
    return match[3], f"{match[1]}-{match[2]}" if match[2] else match[1]
