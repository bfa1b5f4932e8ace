"""What may cross the LI border of the reference site, written out by hand: (source, destination, protocol, ports)."""

from __future__ import annotations

MAIN = (11, 12, 13, 21, 22, 23, 31, 32, 33, 41, 42, 43, 44, 51, 52, 55)
CONTROL_PLANES = (11, 12, 13)
WORKERS = (21, 22, 23, 41)
DATABASES = (31, 32, 33)
STORAGES = (41, 42, 43, 44)
PREFIXES = (("10.20.0.0/24", "10.20.1.", "10.20.2.11"), ("fd20::/64", "fd20:1::", "fd20:2::11"))


def _allowed() -> frozenset[tuple[str, str, str, str]]:
    flows = {("10.20.2.11", "10.20.1.10", "tcp", "8443")}
    for management, main, li in PREFIXES:
        flows.add((management, li, "tcp", "22"))
        flows |= {(li, f"{main}{host}", "tcp", port) for host in CONTROL_PLANES for port in ("6443", "8443")}
        flows |= {(f"{main}{host}", li, "tcp", "10250") for host in CONTROL_PLANES}
        flows |= {(f"{main}{host}", li, "udp", "8472") for host in MAIN}
        flows |= {(li, f"{main}{host}", "udp", "8472") for host in MAIN}
        flows |= {(li, f"{main}{host}", "tcp", "5432") for host in DATABASES}
        flows |= {(li, f"{main}{host}", "tcp", "9000") for host in STORAGES}
        flows |= {(f"{main}{host}", li, "tcp", "8000") for host in WORKERS}
    return frozenset(flows)


ALLOWED = _allowed()
