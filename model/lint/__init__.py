"""Which traps does a well-formed site still walk into? Named rules, each with what to write instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from model.errors import SchemaErrors
from model.lint import (
    addresses,
    certificates,
    cluster,
    installation,
    isolation,
    listeners,
    matrix,
    perimeter,
    roles,
    schedule,
    waivers,
)
from model.lint.finding import Finding, Rule, View, exit_code, from_schema
from model.site.load import load_site
from model.site.site import Site

__all__ = ["RULES", "Finding", "Rule", "examine", "exit_code", "findings", "from_schema"]

RULES: tuple[Rule, ...] = (
    *addresses.RULES,
    *roles.RULES,
    *matrix.RULES,
    *listeners.RULES,
    *isolation.RULES,
    *cluster.RULES,
    *installation.RULES,
    *perimeter.RULES,
    *certificates.RULES,
    *schedule.RULES,
    *waivers.RULES,
)


def findings(site: Site, today: date | None = None) -> tuple[Finding, ...]:
    """
    Return what every rule finds, in the order of the rules, with the site's waivers applied.

    A waiver names a rule, and a host or `*`; one that has lapsed turns what it covered into `drift`.
    """
    view = View(site, today or datetime.now(UTC).date())
    found = tuple(finding for rule in RULES for finding in rule.findings(view))
    covered = tuple(_waived(finding, view) for finding in found)
    return (*covered, *waivers.unused(view, found, {rule.name for rule in RULES}))


def _waived(finding: Finding, view: View) -> Finding:
    """Apply the waiver that covers the finding; one still in force before a lapsed one."""
    covering = [waiver for waiver in view.site.settings.waivers if waivers.covers(waiver, finding)]
    if not covering or finding.rule in waivers.UNWAIVABLE:
        return finding
    waiver = max(covering, key=lambda waiver: waiver.expires)
    if waiver.expires < view.today:
        note = f"{finding.message}; its waiver by {waiver.owner} lapsed on {waiver.expires}"
        return replace(finding, severity="drift", message=note)
    note = f"{finding.message}; waived by {waiver.owner} until {waiver.expires}: {waiver.reason}"
    return replace(finding, severity="waived", message=note)


def examine(directory: Path, today: date | None = None) -> tuple[str, tuple[Finding, ...]]:
    """
    Return the name of the site in a folder, empty where it cannot be read, and everything wrong with its files.

    Raises `SiteError` when the folder is not there.
    """
    try:
        site = load_site(directory)
    except SchemaErrors as failure:
        return "", from_schema(failure.errors)
    return site.name, findings(site, today)
