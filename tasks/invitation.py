"""What a host needs to join a cluster: a token that soon expires and, for a control plane, the cluster's keys."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from model.errors import ProtocolError, Unreachable

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_TOKEN_SECONDS = 60.0
_PAUSE_SECONDS = 0.2
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


def invite(host: Host) -> Invitation:
    """
    Let a control plane make a token that lives for an hour, and wait until the cluster vouches for it.

    All who join ask the same one at once. Where the connection broke over it, it is asked once more: the first token is
    nobody's.
    """
    try:
        return _invite(host)
    except Unreachable:
        return _invite(host)


def _invite(host: Host) -> Invitation:
    from remote.shell import run

    argv = ("kubeadm", "token", "create", "--ttl", "1h", "--description", "matrix-fleet bootstrap")
    created = run(host, argv, root=True, timeout=_TOKEN_SECONDS).check(host)
    token = created.stdout.decode().strip()
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
