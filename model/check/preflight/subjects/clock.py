"""Checks of the hosts' clocks: they agree, and something keeps them so."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement import clocks
from model.check.preflight.view import PreflightView
from model.host.machine_facts import Clock, MachineFacts
from model.site.hosts import Machine


def skew(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find clocks that surely differ from those of most hosts, whatever the time an answer was under way."""
    others = [other.clock for name, other in view.facts.items() if name != machine.name]
    if not others:
        return
    apart = _apart(facts.clock, median(clock.least for clock in others), median(clock.most for clock in others))
    if clocks.too_far(apart):
        yield Finding(f"its clock is {abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} most others'")


def _apart(own: Clock, least: float, most: float) -> float:
    """Return the smallest difference that the bounds leave possible; above 0 where its own clock is ahead."""
    return max(0.0, own.least - most) + min(0.0, own.most - least)


def synchronised(view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find hosts whose clock follows none."""
    remedy = "" if view.site.settings.ntp else "name the organisation's time servers under `ntp` in site.yaml"
    yield from (Finding(message, remedy) for message in clocks.unsynchronised(facts.clock.synchronised))


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
