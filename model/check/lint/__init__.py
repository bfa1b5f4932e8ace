"""Traps that a well-formed site still walks into: named rules, each with what to write instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from model.check.check import Check, as_findings, discover, run
from model.check.finding import Finding, Severity
from model.check.lint import subjects
from model.check.lint.flaw import LintView, Rule, as_json, as_line, exit_code, from_schema
from model.check.lint.subjects import waivers
from model.errors import SchemaErrors
from model.site.load import load_site
from model.site.site import Site

__all__ = ["RULES", "as_json", "as_line", "examine", "exit_code", "findings", "from_schema"]

# The site's files from the hosts outwards.
_FIRST = (
    "addresses",
    "roles",
    "matrix",
    "pods",
    "listeners",
    "isolation",
    "cluster",
    "installation",
    "perimeter",
    "outward",
    "certificates",
    "secrets",
    "recorded_keys",
    "components",
    "requests",
    "images",
    "upstream",
    "schedule",
    "waivers",
)
# Rules that look at rendered objects.
RENDERING = frozenset(
    {
        "pod-port",
        "secret-use",
        "secret-unused",
        "placeholder",
        "component-render",
        "requests-fit",
        "bundle-missing",
        "image-digest",
    }
)
RULES: tuple[Rule, ...] = discover(subjects, Check, _FIRST)


def findings(site: Site, today: date | None = None, *, renders: bool = True) -> tuple[Finding, ...]:
    """
    Return what every rule finds, in the order of the rules, with the site's waivers applied.

    What the application's templates say is looked at where `renders` wants it and nothing else is an error: what is
    rendered of a wrong site says nothing.

    A waiver names a rule, and a host or `*`; one that has lapsed turns what it covered into `drift`.
    """
    view = LintView(site, today or datetime.now(UTC).date(), renders=False)
    found = {rule.id: tuple(_found(rule, view)) for rule in RULES if rule.id not in RENDERING}
    sound = not any(finding.severity == Severity.ERROR for flaws in found.values() for finding in flaws)
    view = replace(view, renders=renders and sound)
    found |= {rule.id: _found(rule, view) for rule in RULES if rule.id in RENDERING}
    everything = tuple(finding for rule in RULES for finding in found[rule.id])
    covered = tuple(_waived(finding, view) for finding in everything)
    return (*covered, *waivers.unused(view, everything, {rule.id for rule in RULES}))


def _found(rule: Rule, view: LintView) -> tuple[Finding, ...]:
    """Return what a rule finds; that it could not judge the site is an error of its own, and never silence."""
    findings = as_findings(rule, run(rule, view), pending=Severity.WARNING)
    return tuple(finding if finding.file else replace(finding, file="site.yaml", path="(file)") for finding in findings)


def _waived(finding: Finding, view: LintView) -> Finding:
    """Apply the waiver that covers the finding; one still in force before a lapsed one."""
    covering = [waiver for waiver in view.site.settings.waivers if waivers.covers(waiver, finding)]
    if not covering or finding.check in waivers.UNWAIVABLE:
        return finding
    waiver = max(covering, key=lambda waiver: waiver.expires)
    if waiver.expires < view.today:
        note = f"{finding.message}; its waiver by {waiver.owner} lapsed on {waiver.expires}"
        return replace(finding, severity=Severity.DRIFT, message=note)
    note = f"{finding.message}; waived by {waiver.owner} until {waiver.expires}: {waiver.reason}"
    return replace(finding, severity=Severity.WAIVED, message=note)


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
