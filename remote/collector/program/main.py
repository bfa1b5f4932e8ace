"""Read wishes, look at everything, print one document; what cannot be read hides nothing else."""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import Any

from remote.collector.program import certificates, cluster, etcd, firewall, hardware, node, packages, ports, system
from remote.collector.program.ask import output
from remote.collector.program.names import Names
from remote.collector.program.wishes import BadWish, checked

_LIFE_S = 60
_MOST_BYTES = 1 << 20
SECTIONS = {
    "release": system.release,
    "boot": system.boot,
    "sysctl": system.sysctl,
    "modules": system.modules,
    "at_boot": system.at_boot,
    "units": system.units,
    "users": system.users,
    "sshd": system.sshd,
    "scheduled": system.scheduled,
    "clock": system.clock,
    "packages": packages.packages,
    "updates": packages.updates,
    "ufw": firewall.ufw,
    "rules": firewall.rules,
    "listeners": lambda _wishes: output("ss", "-Hlntup"),
    "disks": hardware.disks,
    "hardware": hardware.hardware,
    "swaps": hardware.swaps,
    "certificates": certificates.files,
    "served": certificates.served,
    "node": node.node,
    "cluster": cluster.cluster,
    "etcd": etcd.etcd,
}
# Asked for first, waited for last.
_HEARD = ("names", "cluster_names")
_ON_REQUEST = {"conntrack": ports.conntrack, "services": ports.services}


def run() -> None:
    """
    Print `{"schema", "begins", "ends", "sections", "errors", "seconds"}` on one line; without `sections` in the wishes all but those that
    are had on request alone.

    Exits with 1 after a word on standard error for wishes that are none of the closed set.
    """
    # The signal's default ends the process, whatever it waits for.
    signal.alarm(_LIFE_S)
    begins = time.time()
    try:
        wishes = checked(json.loads(sys.stdin.buffer.read(_MOST_BYTES) or b"{}"), {*SECTIONS, *_ON_REQUEST, *_HEARD})
    except (BadWish, ValueError) as error:
        sys.stderr.write(f"collector: {error}\n")
        raise SystemExit(1) from None
    sections: dict[str, Any] = {}
    errors: dict[str, str] = {}
    seconds: dict[str, float] = {}
    # The cluster's own name server is nobody's business before there is one: on the way out its address is anybody's.
    names, inside = Names(wishes), Names({"dns": wishes.get("cluster_dns", ()) if system.joined() else ()})
    heard = zip(_HEARD, (lambda _wishes: names.heard(), lambda _wishes: inside.heard()), strict=True)
    every = (*SECTIONS.items(), *heard)
    if "sections" in wishes:
        every = tuple((name, look) for name, look in (*every, *_ON_REQUEST.items()) if name in wishes["sections"])
    for name, look in every:
        started = time.monotonic()
        try:
            sections[name] = look(wishes)
        except Exception as error:  # noqa: BLE001 - one unreadable thing must hide no other
            errors[name] = str(error) if str(error) else type(error).__name__
        seconds[name] = round(time.monotonic() - started, 4)
    document = {"schema": "matrix-fleet/facts/1", "begins": begins, "ends": time.time()}
    document |= {"sections": sections, "errors": errors, "seconds": seconds}
    sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
