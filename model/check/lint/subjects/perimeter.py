"""Rules of the perimeter: external addresses, federation, the way out, and eyes outside fit together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement.declared import opens
from model.check.lint.flaw import LintView, flaw
from model.check.lint.subjects.matrix import place
from model.rollout.announced import undeployed
from model.site.rows import Row


def external_target(view: LintView) -> Iterator[Finding]:
    """Find external rows without an address, addresses without a row, and targets that lack the row's role."""
    site = view.site
    rows = [row for row in site.active_rows if row.target is not None]
    for row in rows:
        if row.target not in site.settings.external:
            message = f"row `{row.name}` is open to the internet, but has no external address"
            fix = f"external.{row.target}: addresses and targets, or the feature off"
            yield flaw("site.yaml", "external", value=row.target, message=message, fix=fix, severity=view.production)
            continue
        fitting = {machine.name for end in row.destination_ends for machine in site.machines_at(end)}
        for machine in site.targets(row):
            if machine.name not in fitting:
                message = f"row `{row.name}` leads to {', '.join(row.destination_ends)}, which {machine.name} is not"
                fix = f"one of {', '.join(sorted(fitting)) or 'nobody: add a host'}"
                yield flaw(
                    "site.yaml",
                    f"external.{row.target}.targets",
                    value=machine.name,
                    message=message,
                    fix=fix,
                    host=machine.name,
                )
    for name in site.settings.external.keys() - {row.target for row in rows}:
        message = "no active row leads to it"
        yield flaw(
            "site.yaml", f"external.{name}", value=name, message=message, fix="remove it", severity=Severity.WARNING
        )


def external_family(view: LintView) -> Iterator[Finding]:
    """
    Find external addresses that no target can answer in their family, and those that are a stranger's inside the site.
    """
    site = view.site
    for name, external in site.settings.external.items():
        machines = [site.by_name[target] for target in external.targets]
        for address in external.addresses:
            lacking = [machine.name for machine in machines if machine.speaks(address.version) is None]
            if lacking:
                message = f"{', '.join(lacking)} has no IPv{address.version} address to translate it to"
                yield flaw(
                    "site.yaml",
                    f"external.{name}.addresses",
                    value=address,
                    message=message,
                    fix="an address of its family",
                )
            owner = next((machine for machine in site.machines for _, held in machine.every if held == address), None)
            if owner is not None and owner not in machines:
                message = f"is {owner.name}'s own address, which is not among the targets"
                yield flaw(
                    "site.yaml",
                    f"external.{name}.addresses",
                    value=address,
                    message=message,
                    fix="a free external address",
                )


def nat_clash(view: LintView) -> Iterator[Finding]:
    """Find one external address and port that would have to lead to two places."""
    site = view.site
    rows = [row for row in site.active_rows if row.target in site.settings.external]
    for row, other in combinations(rows, 2):
        left, right = (site.settings.external[end.target or ""] for end in (row, other))
        shared = set(left.addresses) & set(right.addresses)
        if shared and left.targets != right.targets and row.protocol == other.protocol and _meet(row, other):
            message = f"`{row.name}` and `{other.name}` need the same port of it for different hosts"
            path = f"external.{other.target}.addresses"
            yield flaw("site.yaml", path, value=min(map(str, shared)), message=message, fix="an external address each")


def _meet(row: Row, other: Row) -> bool:
    return any(a[0] <= b[1] and b[0] <= a[1] for a in row.intervals for b in other.intervals)


def egress(view: LintView) -> Iterator[Finding]:
    """Find features that need the internet after installation on a site that closes it."""
    settings = view.site.settings
    if settings.egress == "open":
        return
    needs = {
        "federation": settings.federation,
        "features.push_notifications": settings.features.push_notifications,
        "features.smtp": settings.features.smtp,
    }
    for path, on in needs.items():
        if on:
            message = "needs the internet, which is closed but for the rows that say otherwise"
            yield flaw(
                "site.yaml",
                path,
                value="true",
                message=message,
                fix="see that the row for it stays open, or turn it off",
            )
    if settings.features.antivirus and settings.size != "small":
        message = "virus signatures age without a way to fetch them"
        fix = "a mirror inside, signatures in the offline bundle, or egress open"
        yield flaw("site.yaml", "features.antivirus", value="true", message=message, fix=fix)


def federation(view: LintView) -> Iterator[Finding]:
    """Find federation without its port."""
    if view.site.settings.federation and not opens(view.site, 8448, "ingress"):
        message = "other servers come in on 8448/tcp and no active row opens it"
        yield flaw("site.yaml", "federation", value="true", message=message, fix="a row for 8448/tcp to the ingress")


def features_together(view: LintView) -> Iterator[Finding]:
    """Find features that need another one."""
    switches = view.site.settings.features.model_dump()
    for feature, needed in (("turn_dtls", "turn"), ("element_call", "livekit"), ("alertmanager", "monitoring")):
        if switches[feature] and not switches[needed]:
            fix = f"turn {needed} on, or {feature} off"
            yield flaw(
                "site.yaml",
                f"features.{feature}",
                value="true",
                message=f"needs features.{needed}, which is off",
                fix=fix,
            )


def undeployed_features(view: LintView) -> Iterator[Finding]:
    """Find features that are on and that no component of the site deploys yet."""
    if names := undeployed(view.site):
        message = (
            "are on, and no component deploys them yet: a rollout leaves them out, their rows are open all the same"
        )
        fix = "install what serves them by hand, or turn them off"
        yield flaw("site.yaml", "features", value=", ".join(names), message=message, fix=fix)


def vantage(view: LintView) -> Iterator[Finding]:
    """Find sites that nobody looks at from outside."""
    site = view.site
    if not site.vantages and any(row.target for row in site.active_rows):
        message = "no vantage host: what the internet sees cannot be proven, and gates of a rollout stay unproven"
        outside = {traits.network for traits in site.roles.values() if traits.kind == "vantage"} - set(
            site.settings.networks
        )
        first = "".join(f"networks.{name} in site.yaml (the network that it is in), and " for name in sorted(outside))
        yield flaw(
            "hosts.yaml",
            "(role vantage)",
            value=0,
            message=message,
            fix=f"{first}a host outside the perimeter with that role",
        )


def device(view: LintView) -> Iterator[Finding]:
    """Find a perimeter device that is no host of that kind, or that nobody can read."""
    wanted = view.site.settings.perimeter
    if wanted.device is None:
        return
    machine = view.site.by_name.get(wanted.device)
    path, known = "perimeter.device", [item.name for item in view.site.machines if item.kind == "perimeter"]
    if machine is None or machine.kind != "perimeter":
        fix = f"one of {', '.join(known)}" if known else "a host with a role of kind perimeter"
        yield flaw("site.yaml", path, value=wanted.device, message="is no perimeter device of hosts.yaml", fix=fix)
    elif wanted.platform == "none":
        message = "its rules cannot be read as evidence without a platform"
        yield flaw(
            "site.yaml",
            "perimeter.platform",
            value="none",
            message=message,
            fix="the device's platform",
            severity=Severity.WARNING,
        )


def external_end(view: LintView) -> Iterator[Finding]:
    """Find inbound external rows that name no external address."""
    for row in view.site.active_rows:
        inbound = row.plane == "external" and set(row.source_ends) & {"internet", "clients", "vantage"}
        if inbound and row.target is None:
            path = f"{place(view.site, row)}.target"
            yield flaw(
                "ports.yaml", path, value="", message="comes from outside but names no external address", fix="a target"
            )


CHECKS = (
    Check(
        id="external-target",
        why="The perimeter must know where to send what it lets in.",
        judge=external_target,
    ),
    Check(
        id="external-row-target",
        why="A row from outside without an address opens nothing.",
        judge=external_end,
    ),
    Check(
        id="external-family",
        why="NAT translates within one IP family, to the hosts that are meant.",
        judge=external_family,
    ),
    Check(id="nat-clash", why="One external port leads to one place.", judge=nat_clash),
    Check(id="egress", severity=Severity.WARNING, why="Some features need the internet for good.", judge=egress),
    Check(
        id="federation-port",
        why="Federation is a port that other servers can reach.",
        judge=federation,
    ),
    Check(
        id="feature-needs",
        severity=Severity.WARNING,
        why="A feature that needs another one cannot work alone.",
        judge=features_together,
    ),
    Check(
        id="feature-undeployed",
        severity=Severity.WARNING,
        why="Who turns a feature on expects that a rollout brings it.",
        judge=undeployed_features,
    ),
    Check(
        id="vantage-missing",
        severity=Severity.WARNING,
        why="The external plane can be proven from outside only.",
        judge=vantage,
    ),
    Check(
        id="perimeter-device",
        why="Evidence is read from the device that is named.",
        judge=device,
    ),
)
