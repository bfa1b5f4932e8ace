"""Sign the serving certificates that kubelets ask for, those that the site's own declarations cover and no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from model.kubernetes.serving import objection, pending
from remote.shell import run

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from model.site.site import Site
    from remote.kube import Cluster

_CERTIFICATE = "/var/lib/kubelet/pki/kubelet-server-current.pem"
_REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


@dataclass(frozen=True, slots=True)
class Decision:
    """A pending request: its name, the node that asks, and what speaks against it (empty: nothing)."""

    name: str
    node: str
    objection: str


def decide(cluster: Cluster, site: Site) -> tuple[Decision, ...]:
    """Return what is to be said to every request that waits; nothing is said yet."""
    waiting = [request for request in cluster.list(_REQUESTS) if pending(request)]
    return tuple(Decision(request["metadata"]["name"], _node(request), objection(site, request)) for request in waiting)


def approve(cluster: Cluster, decision: Decision) -> None:
    """Approve one request."""
    condition = {
        "type": "Approved",
        "status": "True",
        "reason": "DeclaredBySite",
        "message": "the site's inventory declares this name and these addresses",
        "lastUpdateTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    path = f"{_REQUESTS}/{decision.name}/approval"
    cluster.patch(path, {"status": {"conditions": [condition]}}, kind="strategic")


def has_certificate(host: Host) -> bool:
    """
    Return whether the host's kubelet holds a serving certificate; until then nobody reads its pods' logs or its
    settings.
    """
    return run(host, ("test", "-s", _CERTIFICATE), root=True).exit_code == 0


def _node(request: Mapping[str, Any]) -> str:
    return str(request["spec"].get("username", "")).rpartition(":")[2]
