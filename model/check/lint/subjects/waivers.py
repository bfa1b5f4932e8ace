"""Rules of waivers: they name something, and are still in force."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.lint.flaw import LintView, flaw
from model.site.rows import WORDS
from model.site.settings import Waiver
from model.verify.pods import pods_of

# A lapsed waiver cannot be excused by another one, nor a waiver that names nobody.
UNWAIVABLE = frozenset({"waiver-expired", "waiver-host", "waiver-unused"})
_CELL = re.compile(r"^(?P<source>[^>\s]+)->(?P<destination>[^:\s]+):[\d*?-]+/(tcp|udp|vrrp|\*)$")


def covers(waiver: Waiver, finding: Finding) -> bool:
    """Return whether the waiver is about the finding, in force or not."""
    return waiver.id == finding.check and waiver.host in ("*", finding.host)


def expired(view: LintView) -> Iterator[Finding]:
    """Find waivers whose date has passed."""
    for number, waiver in enumerate(view.site.settings.waivers):
        if waiver.expires < view.today:
            message = f"the waiver of `{waiver.id}` by {waiver.owner} lapsed"
            fix = "repair what it covers and remove it, or have its owner renew it"
            host = waiver.host if waiver.host in view.site.by_name else ""
            yield flaw(
                "site.yaml", f"waivers.{number}.expires", value=waiver.expires, message=message, fix=fix, host=host
            )


def unknown_host(view: LintView) -> Iterator[Finding]:
    """Find waivers that name a host or a cell the site does not have."""
    for number, waiver in enumerate(view.site.settings.waivers):
        cell = _CELL.match(waiver.host)
        ends = (cell["source"], cell["destination"]) if cell else (waiver.host,)
        pods = {pods_of(machine.name) for machine in view.site.servers if machine.node}
        known = {"*", *view.site.by_name, *view.site.roles, *WORDS, *pods}
        for end in ends:
            if not any(fnmatchcase(name, end) for name in known):
                fix = "`*`, a host, or `from->to:port/protocol`; `pods@NODE` are a node's pods, `*` stands for any part"
                yield flaw(
                    "site.yaml", f"waivers.{number}.host", value=waiver.host, message=f"`{end}` is no host", fix=fix
                )


def unused(view: LintView, findings: Iterable[Finding], rules: Iterable[str]) -> tuple[Finding, ...]:
    """Find waivers of lint rules that cover nothing any more."""
    everything, names = tuple(findings), frozenset(rules)
    return tuple(
        Finding(
            "covers nothing: the rule finds nothing there",
            "remove the waiver",
            Severity.WARNING,
            check="waiver-unused",
            file="site.yaml",
            path=f"waivers.{number}.id",
            value=waiver.id,
        )
        for number, waiver in enumerate(view.site.settings.waivers)
        if waiver.id in names and not any(covers(waiver, finding) for finding in everything)
    )


CHECKS = (
    Check(
        id="waiver-expired",
        severity=Severity.DRIFT,
        why="Somebody answered for a finding until a day that has passed.",
        judge=expired,
    ),
    Check(id="waiver-host", why="A waiver that names nobody excuses nothing.", judge=unknown_host),
)
