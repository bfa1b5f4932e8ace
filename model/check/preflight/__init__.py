"""Checks of hosts before anything is changed on them: everything on every host, from one look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from model.bundle.bundle import Bundle
from model.check.check import Check, as_findings, discover, run
from model.check.finding import Finding
from model.check.preflight import subjects
from model.check.preflight.view import PreflightCheck, PreflightView
from model.host.machine_facts import MachineFacts
from model.site.hosts import Machine
from model.site.site import Site

__all__ = ["CHECKS", "examine"]

# What is told of a host begins with what it is, and ends with what is on it.
_FIRST = (
    "system",
    "hardware",
    "storage",
    "identity",
    "clock",
    "names",
    "network",
    "ports",
    "rules",
    "remains",
    "packages",
)
CHECKS: tuple[PreflightCheck, ...] = discover(subjects, Check, _FIRST)


def examine(
    site: Site, facts: Mapping[str, MachineFacts], today: date, bundle: Bundle | None = None
) -> dict[str, tuple[Finding, ...]]:
    """
    Return what every check finds, by host: all that answered, in the order of `facts`, those without a finding too.

    What a check could not see is an error, as nothing may be changed on a host of which that is not known.
    """
    view = PreflightView(site, facts, today, bundle)
    return {name: _of_host(view, site.by_name[name]) for name in facts}


def _of_host(view: PreflightView, machine: Machine) -> tuple[Finding, ...]:
    facts = view.facts[machine.name]
    findings = (finding for check in CHECKS for finding in as_findings(check, run(check, view, machine, facts)))
    return tuple(replace(finding, host=machine.name) for finding in findings)
