"""The network of the probe pod on a node, and what answers it there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.errors import HostError, ProtocolError

if TYPE_CHECKING:
    from nornir.core.inventory import Host

NAMESPACE = "matrix-fleet"
_SECONDS = 30.0
_FIND = f"""
for id in $(ctr --namespace k8s.io containers ls --quiet 'labels."io.kubernetes.pod.namespace"=={NAMESPACE}'); do
    ctr --namespace k8s.io tasks ls | while read -r task pid status; do
        if [ "$task" = "$id" ] && [ "$status" = RUNNING ]; then echo "$pid"; fi
    done
done
"""
# Standard library only: it runs on hosts. Each question is asked three times at most, a second apart.
_ASK = """
import json, socket, struct, sys
def ask(server, name):
    head = struct.pack(">6H", 4242, 0x0100, 1, 0, 0, 0)
    labels = b"".join(bytes([len(word)]) + word.encode() for word in name.split("."))
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(1.0)
        for _ in range(3):
            try:
                s.sendto(head + labels + b"\\0" + struct.pack(">2H", 1, 1), (server, 53))
                answer = s.recv(4096)
            except OSError as error:
                said = type(error).__name__ + ": " + str(error)
                continue
            code, count = answer[3] & 15, struct.unpack(">H", answer[6:8])[0]
            return "answered" if code == 0 and count else f"answered with code {code} and {count} records"
    return said
print(json.dumps([ask(*pair) for pair in json.loads(sys.argv[1])]))
"""


@dataclass(frozen=True, slots=True)
class DnsQuestion:
    """A name to be asked of a DNS server's address, from inside the pod."""

    server: str
    name: str


def process(host: Host) -> int:
    """Return the id of a process in the probe pod's network; raises `HostError` where no such pod runs on the node."""
    from remote.shell import run

    pids = run(host, ("sh", "-s"), stdin=_FIND.encode(), root=True, timeout=_SECONDS).check(host).stdout.split()
    if not pids:
        raise HostError(host.name, "no probe pod runs on it", f"look at the pods of the namespace {NAMESPACE}")
    return int(pids[0])


def ask(host: Host, questions: Sequence[DnsQuestion]) -> tuple[str, ...]:
    """Ask names from inside the probe pod; an answer is `answered`, or what came instead."""
    from remote.shell import run

    pairs = json.dumps([[question.server, question.name] for question in questions])
    argv = ("nsenter", f"--net=/proc/{process(host)}/ns/net", "python3", "-", pairs)
    done = run(host, argv, stdin=_ASK.encode(), root=True, timeout=_SECONDS + 3 * len(questions)).check(host)
    try:
        return tuple(json.loads(done.stdout))
    except ValueError as error:
        raise ProtocolError(host.name, f"the answers of the probe pod cannot be read: {error}") from error
