"""Compliance's one look: what every host tells and what is tried on it, and what lies on the controller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checks.check import ComplianceView
from checks.collector_query import collector_query
from flows._compliance.sources import declared_files, expected_files, kept_secrets, latest_gates, latest_proof
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from model.errors import SelectionError
from model.host.host_facts import HostFacts
from remote.collector.session import collect
from remote.facts.beside import with_beside

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.inventory import Host

    from flows._run.context import Context
    from model.site.site import Site

_WORKERS = 128
_SECONDS = 60.0


@dataclass(frozen=True)
class Looked:
    """Everything that was seen in one run, and hosts that could not be looked at."""

    view: ComplianceView
    failures: dict[str, HostFailure]


def look(nr: Nornir, context: Context, names: Sequence[str]) -> Looked:
    """Look at every named host, once and once more for what is tried there, and read what lies on the controller."""
    site = context.site
    asked = {name: collector_query(site, site.by_name[name]) for name in (*names, *witnesses(site, names))}

    servers = {machine.name for machine in site.servers}

    # It may run in another process: it takes nothing along but the wishes.
    def task(host: Host) -> HostFacts:
        facts = collect(host, asked[host.name])
        return with_beside(facts, host) if host.name in servers else facts

    with context.awaiting(tuple(asked), "looking at every host") as watch:
        answers = run_on_hosts(
            nr,
            task,
            names=tuple(asked),
            workers=_WORKERS,
            watch=watch,
            deadline=_SECONDS,
            apart=True,
        )
    facts = {name: answer for name, answer in answers.items() if not isinstance(answer, HostFailure)}
    failures = {name: answer for name, answer in answers.items() if isinstance(answer, HostFailure)}
    proof = latest_proof(context.options.inventory)
    files = declared_files(site, context.options.inventory)
    silent = {name: failure.message for name, failure in failures.items()}
    return Looked(
        ComplianceView(
            site=site,
            now=context.started,
            facts=facts,
            proof=proof,
            files=files,
            gates=latest_gates(context.options.inventory),
            secrets=kept_secrets(context.options.inventory),
            silent=silent,
            scheduled=expected_files(site),
        ),
        failures,
    )


def witnesses(site: Site, names: Iterable[str]) -> tuple[str, ...]:
    """Return the hosts that tell of the cluster: its control planes, where any of the named hosts is to be a node."""
    nodes = any(site.by_name[name].node for name in names)
    return tuple(machine.name for machine in site.control_planes) if nodes else ()


def hosts_of(context: Context) -> tuple[str, ...]:
    """Return the selected hosts that checks look at; raises `SelectionError` where none is."""
    by_name = context.site.by_name
    names = tuple(name for name in context.hosts if by_name[name].kind != "perimeter")
    if not names:
        raise SelectionError(f"--limit {context.options.limit}: none of these is looked at by a check")
    return names
