"""A cluster's certificates: how long they hold, and their renewal while the API goes on answering."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun, at_work
from flows._cluster.outcomes import would
from flows._cluster.serving_certificates import decide
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from flows._render.line import Line
from flows._run.context import Context, FlowResult
from flows._run.publish import CONTROLLER
from flows._run.selection import planes, roles, servers
from model.errors import CommandFailed, HostError, PlanRefused, SelectionError
from model.report.outcome import Outcome, Status
from remote.command import first_lines
from remote.facts import certificates, etcd_status
from tasks import serving, static_pods

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from model.host.certificate import Certificate
    from remote.kube import Cluster

_LOOK_SECONDS = 90.0
_RENEW_SECONDS = 120.0
_LONG = 1200.0
_ROTATED = "/var/lib/kubelet/pki/"


def status(context: Context) -> FlowResult:
    """Look at every certificate on the selected nodes; one that expires soon is drift, and none at all no answer."""
    names = tuple(name for name in servers(context) if context.site.by_name[name].node)
    if not names:
        raise SelectionError("none of the selected hosts is to be a node of the cluster")
    with at_work(context, "certificates", names, lock=False) as cluster_run:
        seen = run_on_hosts(cluster_run.nr, certificates.observe, names=cluster_run.hosts, deadline=_LOOK_SECONDS)
        outcomes = [*cluster_run.lost.values()]
        for name, held in seen.items():
            if isinstance(held, HostFailure):
                outcomes.append(held.outcome("certificates"))
            else:
                outcomes += _judged(context, name, held)
    if all(outcome.status is Status.NOT_RUN for outcome in outcomes):
        message, step = (
            "no selected host has a certificate of the cluster: nothing was looked at",
            "python -m flows.bootstrap",
        )
        outcomes.append(Outcome(CONTROLLER, "certificates", Status.UNPROVEN, message, next=step))
    return FlowResult(tuple(outcomes), names, extra=roles(context.site))


def _judged(context: Context, host: str, held: tuple[Certificate, ...]) -> Iterator[Outcome]:
    now = datetime.now(UTC)
    evidence = [certificate.to_json(now) for certificate in held]
    if not held:
        yield Outcome(host, "certificates", Status.NOT_RUN, "is no member of the cluster")
        return
    if not context.screen.calm:
        context.screen.lines(
            [
                Line(
                    f"{host:<10} {certificate.days(now):>5} days  {certificate.path}  {certificate.subject}", whole=True
                )
                for certificate in held
            ]
        )
    first = min(held, key=lambda certificate: certificate.until)
    if not any(certificate.finding(now) for certificate in held):
        message = f"{len(held)}, the first to expire is {first.path} in {first.days(now)} days"
        yield Outcome(host, "certificates", Status.OK, message, next="", evidence=evidence)
        return
    for certificate in held:
        if words := certificate.finding(now):
            message = f"{certificate.path} ({certificate.subject}) {words}"
            yield Outcome(host, "certificates", Status.DRIFT, message, next=_remedy(certificate), evidence=evidence)


def _remedy(certificate: Certificate) -> str:
    if certificate.authority:
        return "an authority is renewed by hand, host by host: every certificate it signed follows"
    if certificate.path.startswith(_ROTATED):
        return (
            "kubelet renews it by itself; read its journal, and approve what it asks for with flows.certificates renew"
        )
    return "python -m flows.certificates renew"


def renew(context: Context) -> FlowResult:
    """
    Renew what kubeadm made on the selected control planes, one at a time, each component waited for.

    Raises `PlanRefused` where etcd or the API would not outlive the restart of one of them.
    """
    from remote.kube import open_cluster

    names = planes(context)
    with at_work(context, "certificates", names, lock=True) as cluster_run, ExitStack() as stack:
        context.keep(*cluster_run.lost.values())
        chosen = cluster_run.members
        cluster = stack.enter_context(open_cluster(cluster_run.nr, cluster_run.site))
        _refuse(cluster_run, cluster)
        done = cluster_run.journal.unfinished("renew")
        cluster_run.journal.write("renew", "begun")
        cluster_run.journal.write("renew", "ended", done)
        outcomes: list[Outcome] = []
        for name in chosen:
            outcomes += _renewed(cluster_run, cluster, name, name in done)
            if outcomes[-1].status is Status.FAILED:
                break
            cluster_run.journal.write("renew", "ended", (name,))
        else:
            cluster_run.journal.write("renew", "ended")
        outcomes += _requests(cluster_run, cluster)
    return FlowResult(tuple(outcomes), names, extra=roles(context.site))


def _refuse(cluster_run: ClusterRun, cluster: Cluster) -> None:
    """Each component is away for a moment: the others must be able to do without it."""
    reasons = []
    for name in cluster_run.members[:1]:
        states = run_on_hosts(cluster_run.nr, etcd_status.observe, names=(name,), deadline=_LOOK_SECONDS)[name]
        if isinstance(states, HostFailure):
            reasons.append(f"{name}: etcd does not answer: {states.message}")
        else:
            reasons += [f"etcd's member {state.seat.name} is not healthy" for state in states if not state.healthy]
    if not cluster_run.members:
        reasons.append("no selected control plane is a member of the cluster")
    else:
        reasons += [f"API: {complaint}" for complaint in cluster.healthy()]
    if reasons:
        raise PlanRefused(
            "\n".join(["refused, nothing was changed on any host:", *reasons]),
            next_step="python -m flows.etcd status; python -m flows.bootstrap mends a cluster",
        )


def _renewed(cluster_run: ClusterRun, cluster: Cluster, name: str, already: bool) -> tuple[Outcome, ...]:
    if already:
        return (Outcome(name, "renew", Status.OK, "was done by the run that was cut short"),)
    if cluster_run.dry_run:
        parts = ", ".join(static_pods.COMPONENTS)
        return (would(name, "renew", f"kubeadm certs renew all would be run, then {parts} restarted one by one"),)
    return cluster_run.on_each(
        "renew", f"renewing on {name}", lambda host: _renew(cluster_run, cluster, host), (name,), _LONG
    )


def _renew(cluster_run: ClusterRun, cluster: Cluster, host: Host) -> Outcome:
    from remote.kube import open_cluster
    from remote.shell import run

    before = {each_.path: each_.serial for each_ in certificates.observe(host)}
    done = run(host, ("kubeadm", "certs", "renew", "all"), root=True, timeout=_RENEW_SECONDS)
    if done.exit_code:
        raise CommandFailed(
            host.name, done.argv, done.exit_code, first_lines(done.stderr), "look at /etc/kubernetes/pki"
        )
    _step_down(host)
    for component in static_pods.COMPONENTS:
        cluster_run.context.say(f"{host.name}: restarting {component}")
        static_pods.restart(host, cluster, component)
    with open_cluster(cluster_run.nr, cluster_run.site, (host.name,)) as own:
        own.wait("/api/v1/nodes", lambda nodes: bool(nodes), f"the API server of {host.name}", static_pods.SECONDS)
        if complaints := own.healthy():
            raise HostError(host.name, f"its API server is not ready: {'; '.join(complaints)}", "read its log")
    now = datetime.now(UTC)
    renewed = [each_ for each_ in certificates.observe(host) if before.get(each_.path) != each_.serial]
    if not renewed:
        raise HostError(
            host.name, "kubeadm says that it renewed, and every certificate is the same", "look at its output"
        )
    message = f"{len(renewed)} certificates hold for {min(each_.days(now) for each_ in renewed)} days now"
    return Outcome(
        host.name, "renew", Status.CHANGED, message, next="", evidence=[each_.to_json(now) for each_ in renewed]
    )


def _step_down(host: Host) -> None:
    states = etcd_status.observe(host)
    own = next((state for state in states if state.member.name == host.name), None)
    other = next((state for state in states if state is not own and state.healthy and state.seat.voter), None)
    if own is not None and own.leads and other is not None:
        static_pods.hand_over_lead(host, other.member.id)


def _requests(cluster_run: ClusterRun, cluster: Cluster) -> Iterator[Outcome]:
    """Decide about serving certificates that kubelets wait for."""
    for decision in serving.decide(cluster, cluster_run.site):
        yield decide(cluster_run, cluster, decision)
