"""Does DNS say what it must in each view, and is what is LI's alone unknown everywhere else?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from checks.check import ISOLATED, MAIN, OUTSIDE, VANTAGES, ChecklistRef, ComplianceView, HostCheck
from model.check.finding import Verdict, settled
from model.host.host_facts import HostFacts, Names
from model.site.hosts import Machine
from model.site.names import Record, records
from model.site.site import Site


def own_view(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find names that a host's own name servers lead elsewhere than the site says, and servers that do not answer."""
    wanted = [
        record for record in records(view.site) if record.view == ("li" if view.site.isolated(machine) else "main")
    ]
    return _told(wanted, facts.of(Names))


def public(view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find public names that a host outside is led elsewhere with."""
    external = {address for plan in view.site.settings.external.values() for address in plan.addresses}
    return _told(
        [record for record in records(view.site) if record.view == "main" and record.addresses <= external],
        facts.of(Names),
    )


def only_li(view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find names of LI alone that resolve outside its network, and LI's address under the shared name."""
    said, secret = facts.of(Names), {record.name for record in records(view.site) if record.only}
    if not secret:
        return Verdict("no name is LI's alone")
    leaked = [
        f"{name} leads to {', '.join(addresses)} outside LI, by {server}"
        for server, name, addresses in _addresses(said)
        if addresses and (name in secret or _is_li(view.site, addresses))
    ]
    silent = _silent(said)
    seen = {"asked": sorted(secret), "servers": sorted(said.answers)}
    if leaked or not silent:
        return settled(leaked, f"{', '.join(sorted(secret))} lead nowhere outside LI", seen)
    return Verdict(doubt="; ".join(silent), evidence=seen)


def _is_li(site: Site, addresses: Iterable[str]) -> bool:
    return bool(set(addresses) & {str(address) for address in site.settings.li.ingress})


def _told(wanted: list[Record], said: Names) -> Verdict:
    silent = _silent(said)
    wrong, pending, seen = [], [], {}
    heard = list(_addresses(said))
    for record in wanted:
        right = {str(address) for address in record.addresses}
        for server, name, addresses in heard:
            if name != record.name:
                continue
            seen[f"{name} by {server}"] = addresses
            if others := sorted(set(addresses) - right):
                wrong.append(
                    f"{name} ({record.why}) leads to {', '.join(others)}, not to {', '.join(sorted(right))}, by {server}"
                )
            elif lacking := sorted(right - set(addresses)):
                pending.append(f"{name} does not lead to {', '.join(lacking)} yet, by {server}")
    if wrong or silent:
        return settled([*wrong, *silent], "", seen)
    if pending:
        return Verdict(pending=f"pending: {'; '.join(pending)}", evidence=seen)
    return Verdict(f"{len(wanted)} names lead where they should", seen)


def _silent(said: Names) -> list[str]:
    """Say of each server that it does not answer, or not for sure."""
    found = [
        why if not server else f"the name server {server} does not answer: {why}" for server, why in said.why.items()
    ]
    for server, answers in said.answers.items():
        if server in said.why:
            continue
        unsure = sorted({answer.name for answer in answers if not answer.certain})
        if not answers:
            found.append(f"the name server {server} does not answer")
        elif unsure:
            found.append(f"the name server {server} cannot tell {', '.join(unsure)}")
    return found


def _addresses(said: Names) -> Iterator[tuple[str, str, list[str]]]:
    """Yield what each server surely says of each name, of both families together."""
    for server, answers in said.answers.items():
        for name in dict.fromkeys(answer.name for answer in answers):
            own = [answer for answer in answers if answer.name == name]
            if all(answer.certain for answer in own):
                yield server, name, sorted({str(address) for answer in own for address in answer.addresses})


_DNS = "Organization Prerequisites 2"
_REMEDY = "have that record corrected, or the addresses in site.yaml"
CHECKS = (
    HostCheck(
        id="dns/main",
        title="The main view of DNS leads where the site says",
        place=ChecklistRef(_DNS, 36),
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
        place=ChecklistRef(_DNS, 43),
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
        place=ChecklistRef(_DNS, 36),
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
        place=ChecklistRef(_DNS, 55),
        phase="prerequisites",
        looks_at="the same names asked inside the main network and from outside the perimeter",
        by="dig NAME",
        remedy="have these names served to the LI network alone",
        applies=OUTSIDE,
        judge=only_li,
    ),
)
