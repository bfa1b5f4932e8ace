"""Rules of roles: there are enough servers of each, and roles that must be alone stand alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement import declared
from model.check.lint.flaw import LintView, flaw
from model.site import sizing
from model.site.hosts import Machine
from model.site.settings import Features
from model.site.site import Site


def role_minimum(view: LintView) -> Iterator[Finding]:
    """Find roles with fewer hosts than their own minimum or the sizing asks for."""
    for role, traits in view.site.roles.items():
        short = declared.shortage(view.site, role, counted="role") if traits.kind == "server" else None
        if short:
            message = f"{short.has} of at least {short.needed} hosts have the role"
            fix = f"add {short.needed - short.has} to hosts.yaml; a server may have several roles"
            path = f"(role {role})"
            yield flaw("hosts.yaml", path, value=short.has, message=message, fix=fix, severity=view.production)


def control_plane_count(view: LintView) -> Iterator[Finding]:
    """Find numbers of control planes with which etcd cannot vote, or votes no better than with one fewer."""
    count = len(view.site.control_planes)
    if count == 0:
        yield flaw(
            "hosts.yaml",
            "(control planes)",
            value=0,
            message="no host runs the Kubernetes API",
            fix="add three control planes",
        )
    elif count % 2 == 0:
        message = f"{count} members bear the loss of no more than {count - 1}"
        yield flaw(
            "hosts.yaml",
            "(control planes)",
            value=count,
            message=message,
            fix=f"{count - 1} or {count + 1} control planes",
        )


def role_network(view: LintView) -> Iterator[Finding]:
    """Find roles in a network that does not exist, and hosts whose roles live in different ones."""
    for role, traits in view.site.roles.items():
        if traits.network not in view.site.settings.networks and view.site.with_role(role):
            fix = f"one of {', '.join(view.site.settings.networks)}"
            yield flaw(
                "groups.yaml",
                f"{role}.data.network",
                value=traits.network,
                message="is no network of site.yaml",
                fix=fix,
            )
    for machine in view.site.machines:
        networks = {role: view.site.roles[role].network for role in machine.roles}
        kinds = {view.site.roles[role].kind for role in machine.roles}
        if len(set(networks.values())) > 1 or len(kinds) > 1:
            shown = ", ".join(f"{role} in {network}" for role, network in networks.items())
            message = "has roles of different networks or kinds"
            yield flaw(
                "hosts.yaml",
                f"{machine.name}.groups",
                value=shown,
                message=message,
                fix="one host for each",
                host=machine.name,
            )


def mixed(view: LintView, isolated: bool) -> Iterator[Finding]:
    """Find hosts that have an exclusive role and another one, within isolated networks or outside them."""
    for machine in view.site.servers:
        alone = [role for role in machine.roles if view.site.roles[role].exclusive]
        if not alone or len(machine.roles) == 1:
            continue
        apart = any(_isolated(view.site, role) for role in alone)
        if apart == isolated:
            message = f"{', '.join(alone)} needs a server of its own"
            shown = ", ".join(machine.roles)
            yield flaw(
                "hosts.yaml",
                f"{machine.name}.groups",
                value=shown,
                message=message,
                fix=f"only {alone[0]}",
                host=machine.name,
            )


def _isolated(site: Site, role: str) -> bool:
    plan = site.settings.networks.get(site.roles[role].network)
    return site.roles[role].feature == "li" or (plan is not None and plan.isolated)


def li_mixed(view: LintView) -> Iterator[Finding]:
    """Find servers of an isolated network with a second role."""
    return mixed(view, isolated=True)


def monitoring_dedicated(view: LintView) -> Iterator[Finding]:
    """Find exclusive servers of the main network with a second role."""
    return mixed(view, isolated=False)


def alertmanager_port(view: LintView) -> Iterator[Finding]:
    """Find nodes where Alertmanager would meet Synapse's replication listener, both on 9093."""
    if not view.site.settings.features.alertmanager:
        return
    for machine in view.site.servers:
        watching = [role for role in machine.roles if view.site.roles[role].feature == "monitoring"]
        working = [role for role in machine.roles if role not in watching and view.site.roles[role].node == "worker"]
        if watching and working:
            message = f"Alertmanager ({watching[0]}) and Synapse's replication ({working[0]}) both take 9093/tcp"
            path = f"{machine.name}.groups"
            yield flaw(
                "hosts.yaml",
                path,
                value=", ".join(machine.roles),
                message=message,
                fix="keep monitoring alone",
                host=machine.name,
            )


def role_feature(view: LintView) -> Iterator[Finding]:
    """Find roles whose feature no switch of site.yaml turns on."""
    for role, traits in view.site.roles.items():
        if traits.feature is not None and traits.feature not in Features.model_fields:
            fix = f"one of {', '.join(sorted(Features.model_fields))}"
            yield flaw(
                "groups.yaml",
                f"{role}.data.feature",
                value=traits.feature,
                message="is no feature of site.yaml",
                fix=fix,
            )


def hardware(view: LintView) -> Iterator[Finding]:
    """
    Find servers that say they have less CPU, memory or disk than their roles need together; on a small site, than is
    recommended.
    """
    small = view.site.settings.size == "small"
    for machine in view.site.servers:
        for word, have, need, unit in _hardware(machine, sizing.recommended(view.site, machine)):
            if 0 < have < need:
                roles = f"its roles ({', '.join(machine.roles)})"
                message = f"{roles} need {need} {unit} together"
                if small:
                    message = f"{need} {unit} are recommended for {roles} together, on a small site"
                path = f"{machine.name}.data.{word}"
                yield flaw(
                    "hosts.yaml",
                    path,
                    value=have,
                    message=message,
                    fix="a larger server, or fewer roles on it",
                    host=machine.name,
                )


def _hardware(machine: Machine, sizes: Sequence[sizing.Size]) -> tuple[tuple[str, int, int, str], ...]:
    """Return field, what is there, what is needed, and in which unit."""
    disks = sum(disk.gib for disk in machine.data.disks if disk.purpose not in ("system", "unused"))
    return (
        ("cpus", machine.data.cpus, sum(size.cpus for size in sizes), "CPUs"),
        ("ram_gib", machine.data.ram_gib, sum(size.ram_gib for size in sizes), "GiB"),
        ("disks", disks, sum(size.total_disk_gib for size in sizes), "GiB"),
    )


def beyond_sizing(view: LintView) -> Iterator[Finding]:
    """Find more users than the sizing was worked out for."""
    settings, most = view.site.settings, sizing.most_users(view.site.settings)
    if declared.beyond_sizing(view.site, most):
        small = settings.size == "small"
        message = f"the {'recommendation for a small site' if small else 'sizing'} ends at {most}"
        fix = "`size: auto`, and the servers it asks for" if small else "measure, and size the servers by hand"
        yield flaw("site.yaml", "concurrent_users", value=settings.concurrent_users, message=message, fix=fix)


CHECKS = (
    Check(
        id="role-minimum",
        why="Fewer servers than the load or the quorum needs.",
        judge=role_minimum,
    ),
    Check(
        id="control-plane-count",
        why="etcd needs an odd number of members, and at least one.",
        judge=control_plane_count,
    ),
    Check(
        id="role-network",
        why="A host's rules follow the one network of its roles.",
        judge=role_network,
    ),
    Check(
        id="role-feature",
        why="A role bound to a feature that does not exist is never wanted.",
        judge=role_feature,
    ),
    Check(
        id="li-mixed",
        why="A second role would open the isolated network to the main one.",
        judge=li_mixed,
    ),
    Check(
        id="monitoring-dedicated",
        why="What watches must not fail with what it watches.",
        judge=monitoring_dedicated,
    ),
    Check(
        id="alertmanager-9093",
        why="Two listeners on one port of one node.",
        judge=alertmanager_port,
    ),
    Check(
        id="hardware-minimum",
        severity=Severity.WARNING,
        why="A server smaller than the sum of its roles.",
        judge=hardware,
    ),
    Check(
        id="sizing-beyond",
        severity=Severity.WARNING,
        why="More users than the sizing was worked out for.",
        judge=beyond_sizing,
    ),
)
