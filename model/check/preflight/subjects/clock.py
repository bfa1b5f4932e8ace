"""Do the hosts' clocks agree, and does anything keep them so?"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.preflight.view import PreflightView
from model.host.machine_facts import Clock, MachineFacts
from model.site.hosts import Machine

# etcd complains of peers whose clocks differ by more, and tokens and certificates are young when they are first used.
MOST_SECONDS = 1.0


def skew(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find clocks that surely differ from those of most hosts, whatever the time an answer was under way."""
    others = [each.clock for name, each in view.facts.items() if name != machine.name]
    if not others:
        return
    apart = _apart(facts.clock, median(each.least for each in others), median(each.most for each in others))
    if abs(apart) > MOST_SECONDS:
        yield Finding(f"its clock is {abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} most others'")


def _apart(own: Clock, least: float, most: float) -> float:
    """Return the smallest difference that the bounds leave possible; above 0 where its own clock is ahead."""
    return max(0.0, own.least - most) + min(0.0, own.most - least)


def synchronised(view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find hosts whose clock follows none."""
    if facts.clock.synchronised is not True:
        what = (
            "does not say whether its clock follows another"
            if facts.clock.synchronised is None
            else "its clock follows none"
        )
        servers = view.site.settings.ntp
        remedy = "" if servers else "name the organisation's time servers under `ntp` in site.yaml"
        yield Finding(what, remedy)


CHECKS = (
    Check(
        id="clock-skew",
        judge=skew,
        remedy="set its clock: `timedatectl set-time`, or start its time service",
    ),
    Check(
        id="clock-unsynchronised",
        severity=Severity.WARNING,
        judge=synchronised,
        remedy="nothing: the operating system's phase sets up chrony",
    ),
)
