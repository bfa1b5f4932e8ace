"""The phase that gives the Kubernetes API one address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from flows._cluster.cluster_run import ClusterRun
from flows._cluster.outcomes import skipped, state_outcome
from model.errors import HostError
from model.report.outcome import Outcome
from tasks import endpoint, secret
from tasks.hoststate import SECONDS, enforce

if TYPE_CHECKING:
    from nornir.core.inventory import Host

# VRRP's passwords have eight characters: six bytes in base64.
_PASSWORD_BYTES = 6
_UNKNOWN = SecretStr("........")


def run(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """Put HAProxy and keepalived on every control plane, with one password that is made on the first."""
    if not endpoint.wanted(cluster_run.site):
        return skipped(cluster_run.planes, "endpoint", "the organisation's balancer holds the endpoint")
    hosts = [cluster_run.host(name) for name in cluster_run.planes]
    if not hosts:
        return ()
    helper_hosts = [cluster_run.host(name) for name in cluster_run.members if name not in cluster_run.planes]
    password = _password([*helper_hosts, *hosts], cluster_run.dry_run)

    def task(host: Host) -> Outcome:
        machine = cluster_run.site.by_name[host.name]
        own = str(machine.speaks(4) or machine.speaks(6))
        interface = cluster_run.facts[host.name].interfaces.get(own)
        if interface is None:
            raise HostError(host.name, f"no interface has {own}", "correct hosts.yaml or the host's network")
        desired = endpoint.desired(cluster_run.site, machine, interface, password)
        return state_outcome(
            host.name, "endpoint", enforce(host, desired, dry_run=cluster_run.dry_run, timeout=SECONDS), "API endpoint"
        )

    return cluster_run.on_each("endpoint", "API endpoint", task, cluster_run.planes, SECONDS * 2)


def _password(hosts: list[Host], dry_run: bool) -> SecretStr:
    if not dry_run:
        return secret.shared(hosts, endpoint.PASSWORD, _PASSWORD_BYTES)
    kept = (secret.read(host, endpoint.PASSWORD) for host in hosts)
    return next((value for value in kept if value is not None), _UNKNOWN)
