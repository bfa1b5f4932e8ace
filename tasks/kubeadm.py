"""Make hosts members of the cluster by kubeadm: the first one, then control planes one at a time, then workers."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from model.checkout import HOST_SCRIPTS
from model.errors import CommandFailed, ProtocolError
from model.host.hoststate import File, HostState
from model.kubernetes.hardening import FOLDER, flags, kubelet
from model.kubernetes.labels import joining
from model.site.hosts import Machine
from model.site.site import Site
from remote.facts.node import UNIT
from tasks.render import render

if TYPE_CHECKING:
    from nornir.core.inventory import Host

ENCRYPTION = "encryption"
ENCRYPTION_BYTES = 32
STEP = HOST_SCRIPTS / "node-step.sh"
LOG = "/var/lib/matrix-fleet/kubeadm.log"
SECONDS = 900.0
_TOKEN_SECONDS = 60.0
_PAUSE_SECONDS = 0.2
_COMPLAINT = 700
# What makes a host a control plane of this cluster and of no other; everything else kubeadm makes anew on each.
_KEYS = (
    *(f"pki/{name}" for name in ("ca.crt", "ca.key", "sa.key", "sa.pub", "front-proxy-ca.crt", "front-proxy-ca.key")),
    "pki/etcd/ca.crt",
    "pki/etcd/ca.key",
)


@dataclass(frozen=True, slots=True)
class Invitation:
    """
    What a host needs to join: a token that soon expires, and the digest by which it knows the cluster's authority.
    """

    token: SecretStr
    ca_hash: str


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
        "taints": [{"key": each.key, "value": each.value, "effect": each.effect} for each in joining(site, machine)],
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


def run_step(host: Host, kind: str, config: str) -> None:
    """
    Let kubeadm carry out `init` or `join` on a host; it ends there even when this process does not live to see it.

    Raises `CommandFailed` with the end of kubeadm's own words.
    """
    from remote.shell import run

    script = STEP.read_text("utf-8")
    done = run(host, ("sh", "-c", script, "sh", kind), stdin=config.encode(), root=True, timeout=SECONDS)
    if done.exit_code:
        # Where kubeadm itself was never started, whoever should have started it says why.
        why = _words(host) or done.stderr.decode(errors="replace").strip()[-_COMPLAINT:] or "it said nothing"
        raise CommandFailed(host.name, ("kubeadm", kind), done.exit_code, why, f"read {LOG} there")


def version(host: Host) -> str:
    """Return the version of a host's kubeadm, such as 1.36.3: it brings up the control plane of its own version."""
    from remote.shell import run

    return run(host, ("kubeadm", "version", "-o", "short"), root=True).check(host).stdout.decode().strip().lstrip("v")


def await_step(host: Host) -> None:
    """Wait for a step that an earlier run left under way."""
    from remote.shell import run

    run(host, ("systemctl", "start", "--wait", UNIT), root=True, timeout=SECONDS)


def _words(host: Host) -> str:
    from remote.shell import run

    lines = run(host, ("tail", "-n", "40", LOG), root=True).stdout.decode(errors="replace").splitlines()
    errors = [line.strip() for line in lines if "error" in line.lower() or "[ERROR" in line]
    return "; ".join((errors or [line.strip() for line in lines if line.strip()])[-4:])[:_COMPLAINT]


def reset(host: Host) -> None:
    """Take back what a step that broke off left, so that it can begin anew."""
    from remote.shell import run

    argv = ("sh", "-c", "kubeadm reset --force >/dev/null 2>&1; rm -f /var/lib/matrix-fleet/node /etc/cni/net.d/*")
    run(host, argv, root=True, timeout=SECONDS).check(host)


def invite(host: Host) -> Invitation:
    """Let a control plane make a token that lives for an hour, and wait until the cluster vouches for it."""
    from remote.shell import run

    argv = ("kubeadm", "token", "create", "--ttl", "1h", "--description", "matrix-fleet bootstrap")
    made = run(host, argv, root=True, timeout=_TOKEN_SECONDS).check(host)
    token = made.stdout.decode().strip()
    ca = run(host, ("cat", "/etc/kubernetes/pki/ca.crt"), root=True).check(host)
    _await_signature(host, token.partition(".")[0])
    return Invitation(SecretStr(token), _ca_hash(host.name, ca.stdout))


def _await_signature(host: Host, public: str) -> None:
    """
    Wait until the controller manager has signed what joining hosts read first. A host that comes earlier asks again
    only after five seconds; one that is never signed for says so itself.
    """
    from remote.shell import run

    path = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
    argv = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "get", "--raw", path)
    deadline = time.monotonic() + _TOKEN_SECONDS
    while f'"jws-kubeconfig-{public}"'.encode() not in run(host, argv, root=True, timeout=_TOKEN_SECONDS).stdout:
        if time.monotonic() > deadline:
            return
        threading.Event().wait(_PAUSE_SECONDS)


def revoke(host: Host, invitation: Invitation) -> None:
    """Let a control plane forget a token; its first part is no secret."""
    from remote.shell import run

    public = invitation.token.get_secret_value().partition(".")[0]
    run(host, ("kubeadm", "token", "delete", public), root=True, timeout=_TOKEN_SECONDS)


def _ca_hash(host: str, pem: bytes) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        key = x509.load_pem_x509_certificate(pem).public_key()
    except ValueError as error:
        raise ProtocolError(host, f"the cluster's ca.crt cannot be read: {error}") from None
    return f"sha256:{hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()}"


def hand_over_keys(source: Host, target: Host) -> None:
    """Copy the cluster's keys from one control plane to a host that becomes one; they pass through memory only."""
    from remote.shell import run

    packed = run(source, ("tar", "-C", "/etc/kubernetes", "-cf", "-", *_KEYS), root=True).check(source)
    script = "umask 077 && mkdir -p /etc/kubernetes && base64 -d | tar -C /etc/kubernetes --no-same-owner -xf -"
    done = run(target, ("sh", "-c", script), stdin=base64.b64encode(packed.stdout), root=True)
    done.check(target)
