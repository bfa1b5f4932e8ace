"""Checks of names: DNS says what it must in each view, and what is LI's alone is unknown everywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checks.check import ISOLATED, MAIN, OUTSIDE, VANTAGES, ComplianceView, HostCheck
from model.check.finding import Verdict, settled
from model.check.judgement.names import answered, leaked, unanswered
from model.check.preflight.questions import name_servers
from model.host.host_facts import HostFacts
from model.host.shared_facts import Names
from model.site.hosts import Machine
from model.site.names import Record, records


def own_view(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find names that a host's own name servers lead elsewhere than the site says, and servers that do not answer."""
    own = "li" if view.site.isolated(machine) else "main"
    return _judged(view, machine, facts, [record for record in records(view.site) if record.view == own])


def public(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find public names that a host outside is led elsewhere with."""
    external = {address for plan in view.site.settings.external.values() for address in plan.addresses}
    wanted = [record for record in records(view.site) if record.view == "main" and record.addresses <= external]
    return _judged(view, machine, facts, wanted)


def only_li(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find names of LI alone that resolve outside its network, and LI's address under the shared name."""
    names, secret = facts.of(Names), {record.name for record in records(view.site) if record.only}
    if not secret:
        return Verdict("no name is LI's alone")
    servers = _servers(view, machine, names)
    leaks = list(leaked(view.site, names, servers))
    silent = list(unanswered(secret, names, servers))
    evidence = {
        "asked": sorted(secret),
        "servers": sorted(names.answers),
        **({"answers": _shown(names)} if leaks else {}),
    }
    if leaks or not silent:
        return settled(leaks, f"{', '.join(sorted(secret))} lead nowhere outside LI", evidence)
    return Verdict(doubt="; ".join(silent), evidence=evidence)


def _judged(view: ComplianceView, machine: Machine, facts: HostFacts, wanted: Iterable[Record]) -> Verdict:
    names, wanted = facts.of(Names), tuple(wanted)
    servers = _servers(view, machine, names)
    answers = tuple(answered(wanted, names, servers))
    wrong = [answer.elsewhere for answer in answers if answer.elsewhere]
    wrong += unanswered({record.name for record in records(view.site)}, names, servers)
    pending = [answer.pending for answer in answers if answer.pending]
    evidence = {
        f"{answer.record.name} by {server}": sorted(answer.addresses) for answer in answers for server in answer.servers
    }
    if wrong:
        return settled(wrong, "", evidence)
    if pending:
        return Verdict(pending=f"pending: {'; '.join(pending)}", evidence=evidence)
    return Verdict(f"{len(wanted)} names lead where they should", evidence)


def _servers(view: ComplianceView, machine: Machine, names: Names) -> Sequence[str]:
    """The servers that the host was to ask, and those that it says it asked."""
    declared = name_servers(view.site, machine) if machine.kind == "server" else ()
    return tuple(dict.fromkeys((*map(str, declared), *names.answers, *names.why)))


def _shown(names: Names) -> dict[str, list[str]]:
    return {
        f"{answer.name} by {server}": [str(address) for address in answer.addresses]
        for server, answers in names.answers.items()
        for answer in answers
        if answer.addresses
    }


_REMEDY = "have that record corrected, or the addresses in site.yaml"
CHECKS = (
    HostCheck(
        id="dns/main",
        title="The main view of DNS leads where the site says",
        phase="prerequisites",
        looks_at="answers of the site's name servers to each server outside isolated networks",
        by="dig @SERVER NAME",
        remedy=_REMEDY,
        applies=MAIN,
        judge=own_view,
    ),
    HostCheck(
        id="dns/li",
        title="LI's view of DNS leads to LI",
        phase="prerequisites",
        looks_at="answers of LI's name servers to LI's servers",
        by="dig @SERVER NAME",
        remedy=_REMEDY,
        applies=ISOLATED,
        judge=own_view,
    ),
    HostCheck(
        id="dns/public",
        title="The public names lead to the external addresses",
        phase="prerequisites",
        looks_at="answers of its own name server to a host outside the perimeter",
        by="dig NAME",
        remedy=_REMEDY,
        applies=VANTAGES,
        judge=public,
    ),
    HostCheck(
        id="dns/li-only",
        title="Names of LI alone are unknown outside it",
        phase="prerequisites",
        looks_at="the same names asked inside the main network and from outside the perimeter",
        by="dig NAME",
        remedy="have these names served to the LI network alone",
        applies=OUTSIDE,
        judge=only_li,
    ),
)
