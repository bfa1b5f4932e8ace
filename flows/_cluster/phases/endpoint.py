"""The phase that gives the Kubernetes API one address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from flows._cluster.cluster_run import ClusterRun, skipped, state_outcome
from model.errors import HostError
from model.report.outcome import Outcome
from tasks import endpoint, secret
from tasks.hoststate import SECONDS, enforce

if TYPE_CHECKING:
    from nornir.core.inventory import Host

# VRRP's passwords have eight characters: six bytes in base64.
_PASSWORD_BYTES = 6
_UNKNOWN = SecretStr("........")


def run(work: ClusterRun) -> tuple[Outcome, ...]:
    """Put HAProxy and keepalived on every control plane, with one password that is made on the first."""
    if not endpoint.wanted(work.site):
        return skipped(work.planes, "endpoint", "the organisation's balancer holds the endpoint")
    hosts = [work.host(name) for name in work.planes]
    if not hosts:
        return ()
    helper_hosts = [work.host(name) for name in work.members if name not in work.planes]
    password = _password([*helper_hosts, *hosts], work.dry_run)

    def task(host: Host) -> Outcome:
        machine = work.site.by_name[host.name]
        own = str(machine.speaks(4) or machine.speaks(6))
        interface = work.facts[host.name].interfaces.get(own)
        if interface is None:
            raise HostError(host.name, f"no interface has {own}", "correct hosts.yaml or the host's network")
        desired = endpoint.desired(work.site, machine, interface, password)
        return state_outcome(
            host.name, "endpoint", enforce(host, desired, dry_run=work.dry_run, timeout=SECONDS), "API endpoint"
        )

    return work.on_each("endpoint", "API endpoint", task, work.planes, SECONDS * 2)


def _password(hosts: list[Host], dry_run: bool) -> SecretStr:
    if not dry_run:
        return secret.shared(hosts, endpoint.PASSWORD, _PASSWORD_BYTES)
    kept = (secret.read(host, endpoint.PASSWORD) for host in hosts)
    return next((value for value in kept if value is not None), _UNKNOWN)
