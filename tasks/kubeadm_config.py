"""Files that kubeadm and an API server read: the configuration of `init` and `join`, what encrypts, what is logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from model.host.hoststate import File, HostState
from model.kubernetes.hardening import FOLDER, flags, kubelet
from model.kubernetes.labels import joining
from model.site.hosts import Machine
from model.site.site import Site
from tasks.invitation import Invitation
from tasks.render import render

if TYPE_CHECKING:
    pass

ENCRYPTION = "encryption"
ENCRYPTION_BYTES = 32


def before_control_plane(encryption: SecretStr) -> HostState:
    """Return the files that an API server reads and kubeadm does not make."""
    text = (
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n  - resources: [secrets]\n"
        "    providers:\n      - secretbox: {keys: [{name: first, secret: "
        f"{encryption.get_secret_value()}}}]}}\n      - identity: {{}}\n"
    )
    return HostState(
        files=(
            File(f"{FOLDER}/encryption.yaml", text, mode=0o600, secret=True),
            File(f"{FOLDER}/audit-policy.yaml", render("node/audit-policy.yaml"), mode=0o600),
        )
    )


def init_config(site: Site, machine: Machine, version: str) -> str:
    """Return kubeadm's configuration of the first control plane; `version` is Kubernetes' whole one."""
    settings = site.settings
    kubernetes = settings.kubernetes
    return render(
        "node/kubeadm.yaml",
        join=False,
        version=version,
        cluster=settings.name,
        pod_cidrs=[str(cidr) for cidr in kubernetes.pod_cidrs],
        service_cidrs=[str(cidr) for cidr in kubernetes.service_cidrs],
        sans=_names(site),
        folder=FOLDER,
        flags=flags(site, machine),
        kubelet=kubelet(site),
        proxy_mode=kubernetes.proxy_mode,
        **_common(site, machine),
    )


def join_config(site: Site, machine: Machine, invitation: Invitation) -> str:
    """Return kubeadm's configuration of a host that joins; it holds the token."""
    return render(
        "node/kubeadm.yaml",
        join=True,
        control_plane=machine.node == "control_plane",
        token=invitation.token.get_secret_value(),
        ca_hash=invitation.ca_hash,
        **_common(site, machine),
    )


def _common(site: Site, machine: Machine) -> dict[str, object]:
    kubernetes = site.settings.kubernetes
    families = {cidr.version for cidr in kubernetes.pod_cidrs}
    own = [address for version in (4, 6) if version in families and (address := machine.speaks(version))]
    return {
        "name": machine.name,
        "accepted": list(kubernetes.accepted_errors),
        "taints": [
            {"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in joining(site, machine)
        ],
        "node_ip": ",".join(map(str, own)),
        "advertise": own[0],
        "endpoint": f"{kubernetes.endpoint.name}:{kubernetes.endpoint.port}",
    }


def _names(site: Site) -> list[str]:
    """Every name and address by which somebody may reach an API server."""
    endpoint = site.settings.kubernetes.endpoint
    planes = site.control_planes
    addresses = [str(address) for machine in planes for _, address in machine.every]
    names = (endpoint.name, *map(str, endpoint.addresses), *(machine.name for machine in planes), *addresses)
    return list(dict.fromkeys((*names, "127.0.0.1", "localhost")))
