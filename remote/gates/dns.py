"""Do the site's names lead where they must, in the main view, in LI's and outside; and those of the cluster inside?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from model.check.judgement.names import answered, leaked, unanswered
from model.check.preflight.questions import name_servers
from model.errors import HostError, OutOfSight
from model.host.shared_facts import Names
from model.kubernetes.service_names import service_name
from model.report.outcome import Status
from model.site.names import Record, records
from remote.collector.session import ask_names
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.pod import ready_pods

if TYPE_CHECKING:
    from model.site.hosts import Machine

_CLUSTER = tuple(service_name(name, "matrix") for name in ("haproxy", "postgresql-rw"))
_NEXT = "have the organisation's DNS correct what is named, or correct the addresses in site.yaml"


def run(context: GateContext) -> GateResult:
    """Ask one host of each view, every vantage host, and a pod."""
    site = context.site
    asked = {record.name for record in records(site)}
    findings: list[str] = []
    seen: list[str] = []
    unasked: list[str] = []
    for view, machine in _observers(context):
        host = context.nr.inventory.hosts[machine.name]
        servers = tuple(map(str, name_servers(site, machine))) if machine.kind == "server" else ()
        try:
            names = ask_names(host, servers, sorted(asked))
        except HostError as error:
            unasked.append(str(error))
            continue
        findings += [f"{machine.name}: {wrong}" for wrong in wrong_in(context, view, names)]
        seen.append(f"{view} by {machine.name}")
    if not seen and not unasked:
        return GateResult(status=Status.UNPROVEN, why="no host was asked", next_step="declare servers in hosts.yaml")
    step = "see that these hosts answer, and try again" if unasked else ""
    try:
        findings += _in_cluster(context)
    except (HostError, OutOfSight) as error:
        unasked.append(f"inside the cluster: {error}")
        step = step or error.next_step
    if unasked and not findings:
        good = f"names lead where they must: {', '.join(seen)}; " if seen else ""
        return GateResult(status=Status.UNPROVEN, why=f"{good}nobody asked {'; '.join(unasked)}", next_step=step)
    return concluded(
        findings, f"names lead where they must: {', '.join(seen)}, and inside the cluster", next_step=_NEXT
    )


def wrong_in(context: GateContext, view: str, names: Names) -> Iterator[str]:
    """Yield what is wrong with the answers that a host of a view got."""
    site = context.site
    servers = tuple(dict.fromkeys((*names.answers, *names.why)))
    wanted = [record for record in records(site) if record.view == ("main" if view == "public" else view)]
    if view == "public":
        external = {address for plan in site.settings.external.values() for address in plan.addresses}
        wanted = [record for record in wanted if record.addresses <= external]
    yield from unanswered({record.name for record in wanted}, names, servers)
    heard = tuple(answered(wanted, names, servers))
    yield from (answer.elsewhere for answer in heard if answer.elsewhere)
    yield from (answer.pending for answer in heard if answer.pending)
    yield from _nowhere(wanted, {answer.record.name for answer in heard if answer.addresses})
    if view != "li":
        yield from leaked(site, names, servers)


def _nowhere(wanted: Sequence[Record], there: set[str]) -> Iterator[str]:
    for record in wanted:
        if record.name not in there:
            yield f"{record.name} ({record.why}) leads nowhere"


def _observers(context: GateContext) -> Iterator[tuple[str, Machine]]:
    """Yield one host a view that can be asked, and every vantage host."""
    site = context.site
    for view, isolated in (("main", False), ("li", True)):
        machine = next((machine for machine in site.servers if site.isolated(machine) is isolated), None)
        if machine is not None and (view == "main" or site.settings.features.li):
            yield view, machine
    yield from (("public", machine) for machine in site.vantages)


def _in_cluster(context: GateContext) -> Iterator[str]:
    """Ask the cluster's own name server from inside a pod. Raises `FleetError` where nobody could."""
    pod = ready_pods(context, "haproxy")[0]
    server = str(context.site.settings.kubernetes.dns_address)
    names = ask_names(pod.host, (server,), _CLUSTER, ("nsenter", f"--net=/proc/{pod.process}/ns/net"))
    yield from (f"{pod.where}: {wrong}" for wrong in unanswered(set(_CLUSTER), names, (server,)))
    for name in _CLUSTER:
        if not any(answer.addresses for answer in names.answers.get(server, ()) if answer.name == name):
            yield f"{pod.where}: {name} leads nowhere inside the cluster"
