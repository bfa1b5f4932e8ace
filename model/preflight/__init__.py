"""What is wrong with hosts before anything is changed on them? Everything on every host, from one look."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from model.bundle.bundle import Bundle
from model.host.machine_facts import MachineFacts
from model.preflight import clock, hardware, identity, names, network, packages, ports, remains, rules, storage, system
from model.preflight.finding import Check, Finding, View
from model.site.site import Site

__all__ = ["CHECKS", "Check", "Finding", "examine"]

CHECKS: tuple[Check, ...] = (
    *system.CHECKS,
    *hardware.CHECKS,
    *storage.CHECKS,
    *identity.CHECKS,
    *clock.CHECKS,
    *names.CHECKS,
    *network.CHECKS,
    *ports.CHECKS,
    *rules.CHECKS,
    *remains.CHECKS,
    *packages.CHECKS,
)


def examine(
    site: Site, facts: Mapping[str, MachineFacts], today: date, bundle: Bundle | None = None
) -> dict[str, tuple[Finding, ...]]:
    """
    Return what every check finds, by host: all that answered, in the order of `facts`, those without a finding too.
    """
    view = View(site, facts, today, bundle)
    return {
        name: tuple(finding for check in CHECKS for finding in check.findings(view, site.by_name[name]))
        for name in facts
    }
