"""One fault from the first rule to the last look: made, told of by the product, met by plain connections, undone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from lab.instance import Instance
from lab.topology import ROUTER, VANTAGE
from tests.lab.driver import Lab
from tests.lab.port_faults import truth
from tests.lab.port_faults.fault import Fault
from tests.lab.port_faults.judging import Judgement, Run, Said, bad, claims, judge
from tests.lab.port_faults.making import broken
from tests.lab.port_faults.truth import Matrix

SERVERS = ("cp-1", "cp-2", "cp-3", "w-1", "db-1", "li-1")
_CLAIMS = 150


@dataclass(frozen=True, slots=True)
class Trial:
    """A fault, what the product's words were worth, how many cells were wrong, and the seconds of each look."""

    fault: Fault
    judgement: Judgement
    told: int
    seconds: Mapping[str, float] = field(default_factory=dict)


def green(lab: Lab) -> Matrix:
    """Return what a lab without a fault is proven to be; all of it must be good."""
    code, report = _flow(lab, "verify_ports")
    assert (code, report["good"], bad(report["cells"])) == (0, True, [])
    return truth.matrix(report, (*SERVERS, VANTAGE))


def trial(lab: Lab, declared: Matrix, fault: Fault, *, whole: bool = False) -> Trial:
    """Try one fault. `whole`: over the whole site and not the fault's host alone."""
    clock, instance = _Clock(), Instance(lab.name)
    with broken(instance, fault):
        clock.lap("making")
        said = _said(lab, fault, clock, whole=whole)
        places = list(dict.fromkeys((*truth.touched(fault, declared), *claims(said.cells, declared, _CLAIMS))))
        met = truth.meet(instance, places, declared, fault.to)
        clock.lap("meeting")
    clock.lap("undoing")
    plain = truth.meet(instance, places, declared, fault.to)
    clock.lap("plain")
    return Trial(fault, judge(Run(fault, declared, said, met, plain)), len(bad(said.cells)), clock.laps)


def _said(lab: Lab, fault: Fault, clock: _Clock, *, whole: bool) -> Said:
    """Ask the three commands; the router is no server, so that only the first speaks of it."""
    code, report = _flow(lab, "verify_ports", *(() if whole or fault.host == ROUTER else ("--limit", fault.host)))
    clock.lap("verify_ports")
    if fault.host == ROUTER:
        return Said(report["cells"], code == 0)
    with ThreadPoolExecutor(2) as pool:
        asked = (("firewall", "--dry-run"), ("compliance", "--check", "firewall"))
        flows = [pool.submit(_flow, lab, *words, "--limit", fault.host) for words in asked]
        dry, checks = (_outcomes(flow.result()[1], fault.host) for flow in flows)
    clock.lap("firewall and compliance")
    return Said(report["cells"], code == 0, dry, checks)


def _outcomes(report: Mapping[str, Any], host: str) -> dict[str, Mapping[str, Any]]:
    return {outcome["subject"]: outcome for outcome in report["outcomes"] if outcome["host"] == host}


def _flow(lab: Lab, name: str, *flags: str) -> tuple[int, dict[str, Any]]:
    done = lab.run((sys.executable, "-m", f"flows.{name}", "--json", "-", *flags))
    assert done.stdout, f"{name} said nothing and ended with {done.returncode}: {done.stderr}"
    return done.returncode, json.loads(done.stdout)


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name], self.last = round(now - self.last, 2), now
