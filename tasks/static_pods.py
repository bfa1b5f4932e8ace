"""Restart what kubelet runs of the control plane on a host, one component at a time."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from model.errors import CommandFailed

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from remote.kube import Cluster, Manifests

# etcd first: the API server of the host depends on it.
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
SECONDS = 180.0
# The kernel keeps fifteen characters of a program's name.
_NAME = 15
# An API server that closes its door waits a minute for those that watch; they have asked another one by then.
_END = """found=
for folder in /proc/[0-9]*; do
    if [ "$(cat "$folder/comm" 2>/dev/null)" = "$1" ] && grep -qs kubepods "$folder/cgroup"; then
        found="$found ${folder#/proc/}"
    fi
done
[ -n "$found" ] || exit 1
kill -TERM $found
round=0
while [ $round -lt 100 ]; do
    kill -0 $found 2>/dev/null || exit 0
    round=$((round + 1))
    sleep 0.1
done
kill -KILL $found 2>/dev/null
exit 0
"""


def restart(host: Host, cluster: Cluster, component: str) -> None:
    """
    End one component's container, which kubelet starts anew, and wait until the new one is ready.

    Raises `CommandFailed` where it does not run, `WaitExpired`.
    """
    from remote.shell import run

    path = f"/api/v1/namespaces/kube-system/pods/{component}-{host.name}"
    before = _container(cluster.get(path))
    done = run(host, ("sh", "-c", _END, "sh", component[:_NAME]), root=True, timeout=60.0)
    if done.exit_code:
        step = f"look at /etc/kubernetes/manifests/{component}.yaml and kubelet's journal there"
        raise CommandFailed(host.name, ("restart", component), done.exit_code, "it does not run", step)

    def anew(pods: Manifests) -> bool:
        return bool(pods) and _ready(pods[0]) and _container(pods[0]) != before

    cluster.wait(path, anew, f"{component} on {host.name} to be ready again", SECONDS)


def hand_over_lead(host: Host, member: int) -> None:
    """Let the leading member of etcd hand over to another one, so that its end costs nobody a vote."""
    from remote.facts.etcd import ETCDCTL
    from remote.shell import run

    # It may have lost the lead meanwhile; then there is nothing to hand over.
    run(host, ("sh", "-c", f"{shlex.join(ETCDCTL)} move-leader {member:x}"), root=True)


def _container(pod: Any) -> str:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return next((str(status.get("containerID", "")) for status in statuses), "")


def _ready(pod: Any) -> bool:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return bool(statuses) and all(status.get("ready", False) for status in statuses)
