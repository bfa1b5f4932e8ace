"""Settings of kubelet and the control plane's programs: what kubeadm is given, and compliance asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.site.hosts import Machine
from model.site.site import Site

# Where files lie that an API server reads and kubeadm does not make.
FOLDER = "/etc/kubernetes/matrix-fleet"
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - ufw admits the matrix's sources
Flags = dict[str, str]


def kubelet(site: Site) -> dict[str, Any]:
    """Return what kubelet's settings must hold, on every node."""
    kubernetes = site.settings.kubernetes
    settings: dict[str, Any] = {
        "cgroupDriver": kubernetes.runtime.cgroup_driver,
        "failCgroupV1": not kubernetes.cgroup_v1,
        "serverTLSBootstrap": True,
        "rotateCertificates": True,
        "protectKernelDefaults": True,
        "readOnlyPort": 0,
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
        "authorization": {"mode": "Webhook"},
        "resolvConf": "/etc/resolv.conf",
        "podPidsLimit": 8192,
        "eventRecordQPS": 5,
        "streamingConnectionIdleTimeout": "4h0m0s",
    }
    if kubernetes.packages == "bundle":
        # Images come from the bundle: one that is thrown away could not be pulled again.
        settings["imageGCHighThresholdPercent"] = 100
    if kubernetes.runtime.eviction_hard:
        settings["evictionHard"] = kubernetes.runtime.eviction_hard
    if kubernetes.runtime.pod_sync_seconds != type(kubernetes.runtime)().pod_sync_seconds:
        settings["syncFrequency"] = f"{kubernetes.runtime.pod_sync_seconds}s"
    return settings


def flags(site: Site, machine: Machine) -> dict[str, Flags]:
    """Return what we add to the control plane's programs by component; `machine` is the first control plane."""
    public = site.settings.features.metrics_from_control_plane
    bound = _EVERYWHERE[machine.speaks(6) is not None] if public else "127.0.0.1"
    return {
        "kube-apiserver": {
            "profiling": "false",
            "encryption-provider-config": f"{FOLDER}/encryption.yaml",
            "audit-policy-file": f"{FOLDER}/audit-policy.yaml",
            "audit-log-path": "/var/log/kubernetes/audit.log",
            "audit-log-maxage": "30",
            "audit-log-maxbackup": "10",
            "audit-log-maxsize": "100",
            "kubelet-certificate-authority": "/etc/kubernetes/pki/ca.crt",
            "tls-min-version": "VersionTLS12",
        },
        "kube-controller-manager": {
            "bind-address": bound,
            "profiling": "false",
            "terminated-pod-gc-threshold": "500",
            **_leader(site),
        },
        "kube-scheduler": {"bind-address": bound, "profiling": "false", **_leader(site)},
    }


def _leader(site: Site) -> Flags:
    """Return how a leader holds its lease, nothing where that is Kubernetes' own way."""
    runtime = site.settings.kubernetes.runtime
    if runtime.leader_lease_seconds == type(runtime)().leader_lease_seconds:
        return {}
    return {
        "leader-elect-lease-duration": f"{runtime.leader_lease_seconds}s",
        "leader-elect-renew-deadline": f"{runtime.leader_renewal_seconds}s",
    }


# What kubeadm gives them by itself, and nobody may have taken away.
_KUBEADMS: Mapping[str, Flags] = {
    "kube-apiserver": {
        "authorization-mode": "Node,RBAC",
        "client-ca-file": "/etc/kubernetes/pki/ca.crt",
        "etcd-cafile": "/etc/kubernetes/pki/etcd/ca.crt",
        "service-account-key-file": "/etc/kubernetes/pki/sa.pub",
    },
    "kube-controller-manager": {
        "use-service-account-credentials": "true",
        "root-ca-file": "/etc/kubernetes/pki/ca.crt",
    },
    "etcd": {"client-cert-auth": "true", "peer-client-cert-auth": "true"},
}
# Flags that open a way around all that.
FORBIDDEN: Mapping[str, tuple[str, ...]] = {
    "kube-apiserver": ("token-auth-file", "basic-auth-file", "insecure-port", "insecure-bind-address"),
    "etcd": ("auto-tls", "peer-auto-tls"),
}


def promised(site: Site, machine: Machine) -> dict[str, Flags]:
    """Return every flag that must have its value, by component."""
    ours = flags(site, machine)
    return {name: {**_KUBEADMS.get(name, {}), **ours.get(name, {})} for name in (*ours, "etcd")}


def file_wrongs(path: str, mode: int, owner: int, group: int) -> str:
    """Say what is wrong with a file of Kubernetes'; empty where nothing is."""
    if (owner, group) != (0, 0):
        return f"{path} belongs to user {owner} and group {group}, not to root"
    most = 0o700 if path == "/var/lib/etcd" else 0o644 if path.endswith((".crt", ".pub")) else 0o600
    return f"{path} has mode {mode:04o}, and may have {most:04o} at most" if mode & ~most else ""
