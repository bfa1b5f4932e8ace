"""How far a host has come on its way into the cluster, asked of the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.errors import ProtocolError
from model.host.node import NodeFacts

if TYPE_CHECKING:
    from nornir.core.inventory import Host

UNIT = "matrix-fleet-node.service"
_SCRIPT = f"""
echo "mark $(cat /var/lib/matrix-fleet/node 2>/dev/null)"
case $(systemctl is-active {UNIT}) in active | activating) echo "running yes" ;; *) echo "running no" ;; esac
for file in kubelet.conf:kubelet manifests/kube-apiserver.yaml:plane; do
    if [ -e "/etc/kubernetes/${{file%:*}}" ]; then echo "${{file#*:}} yes"; else echo "${{file#*:}} no"; fi
done
echo "authority $(sha256sum /etc/kubernetes/pki/ca.crt 2>/dev/null | cut -d ' ' -f 1)"
. /etc/os-release
echo "suite ${{VERSION_CODENAME-}}"
ip -o addr show | while read -r _ interface _ address _; do echo "address ${{address%/*}} $interface"; done
"""


def observe(host: Host) -> NodeFacts:
    """Ask a host; raises `ProtocolError` for an answer that cannot be understood, and what running a command raises."""
    from remote.shell import run

    done = run(host, ("sh", "-s"), stdin=_SCRIPT.encode(), root=True).check(host)
    return parse(host.name, done.stdout.decode("utf-8", "replace"))


def parse(host: str, answer: str) -> NodeFacts:
    """Read the answer."""
    pairs = [line.partition(" ")[0::2] for line in answer.splitlines() if line]
    answers = dict(pairs)
    interfaces = dict(value.split() for word, value in pairs if word == "address")
    try:
        return NodeFacts(
            mark=answers["mark"],
            running=answers["running"] == "yes",
            kubelet=answers["kubelet"] == "yes",
            plane=answers["plane"] == "yes",
            suite=answers["suite"],
            interfaces=interfaces,
            authority=answers["authority"],
        )
    except KeyError as error:
        raise ProtocolError(host, f"the answer about its place in the cluster lacks {error}") from error
