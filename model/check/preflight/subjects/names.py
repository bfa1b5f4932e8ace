"""Does the organisation's DNS say what it must, and keep from others what is LI's alone?"""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.preflight.questions import name_servers
from model.check.preflight.view import PreflightView
from model.host.machine_facts import MachineFacts
from model.site.hosts import Machine
from model.site.names import Record, records

_CODES = {
    1: "cannot read the question",
    2: "failed to find out",
    4: "does not answer such questions",
    5: "refuses to answer",
}


def silent(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find name servers of the site that do not answer this host, or not all it asks."""
    servers = _servers(view, machine, facts)
    if not servers:
        yield Finding("has no name server, and site.yaml names none")
    for server in servers:
        answers = facts.asked.dns.get(server, ())
        unsure = sorted({answer.code for answer in answers if not answer.certain})
        lost = sorted({record.name for record in records(view.site)} - {answer.name for answer in answers})
        if not answers:
            yield Finding(f"the name server {server} does not answer this host")
        elif lost:
            yield Finding(f"the name server {server} gives no answer for {', '.join(lost)}")
        if unsure:
            what = ", ".join(_CODES.get(code, f"answers with code {code}") for code in unsure)
            names = ", ".join(sorted({answer.name for answer in answers if not answer.certain}))
            yield Finding(f"the name server {server} {what}: {names}")


def wrong(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find names that lead elsewhere than to the addresses of site.yaml."""
    for record, addresses, servers in _told(view, machine, facts):
        if others := addresses - _wanted(record):
            wanted = ", ".join(sorted(_wanted(record)))
            yield Finding(
                f"{record.name} ({record.why}) leads to {', '.join(sorted(others))}, not to {wanted}, by {servers}"
            )


def pending(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find names that nobody entered yet; that is in time before the rollout."""
    for record, addresses, servers in _told(view, machine, facts):
        lacking = sorted(_wanted(record) - addresses)
        if lacking and addresses <= _wanted(record):
            yield Finding(
                f"pending: {record.name} ({record.why}) does not lead to {', '.join(lacking)} yet, by {servers}"
            )


def _wanted(record: Record) -> frozenset[str]:
    return frozenset(str(address) for address in record.addresses)


def leaks(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find names of LI alone that resolve outside its network."""
    if view.site.isolated(machine):
        return
    secret = {record.name for record in records(view.site) if record.only}
    for server in _servers(view, machine, facts):
        found = sorted(
            {each.name for each in facts.asked.dns.get(server, ()) if each.name in secret and each.addresses}
        )
        if found:
            yield Finding(f"{', '.join(found)} can be resolved outside LI, by {server}")


def _told(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[tuple[Record, frozenset[str], str]]:
    """Yield each name that concerns the host with what is surely said of it, once for all servers that say the same."""
    own = "li" if view.site.isolated(machine) else "main"
    for record in (record for record in records(view.site) if record.view == own):
        agreeing: dict[frozenset[str], list[str]] = {}
        for server in _servers(view, machine, facts):
            answers = [each for each in facts.asked.dns.get(server, ()) if each.name == record.name]
            if answers and all(answer.certain for answer in answers):
                addresses = frozenset(str(address) for answer in answers for address in answer.addresses)
                agreeing.setdefault(addresses, []).append(server)
        for addresses, servers in agreeing.items():
            yield record, addresses, " and ".join(servers)


def _servers(view: PreflightView, machine: Machine, facts: MachineFacts) -> tuple[str, ...]:
    declared = name_servers(view.site, machine)
    return tuple(str(server) for server in declared) or facts.network.resolvers[:1]


CHECKS = (
    Check(
        id="dns-silent",
        judge=silent,
        remedy="have that name server admit this host, or correct `dns` in site.yaml",
    ),
    Check(
        id="dns-wrong",
        judge=wrong,
        remedy="have that record corrected, or the addresses in site.yaml",
    ),
    Check(
        id="dns-pending", severity=Severity.PENDING, judge=pending, remedy="have that record entered before the rollout"
    ),
    Check(id="dns-li-leak", judge=leaks, remedy="have these names served to the LI network alone"),
)
