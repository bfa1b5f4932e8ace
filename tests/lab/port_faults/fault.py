"""One fault of netfilter on a host of a lab: what is drawn, printed, and made again from what was printed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

# A table of its own, or the comment of its rules: whoever names the rule says this word.
TABLE = "generated"
# Of iptables' chains, which has no table of its own, the chain that is jumped to.
CHAIN = "GENERATED"
MARK = 0x6D66


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    One rule somewhere on the way of packets to `low`-`high` of a protocol.

    `tool` is iptables, legacy or nft; `family` ip, ip6, inet (both) or netdev. `table` is one of iptables', or empty.
    `match` says how the ports are written: interval, set (the two ends alone), named, vmap or mark. `peer` is the other
    end: a host, `net` (the main network), or empty for everyone. `place`: first, last, or chain (jumped to). `to_host`
    and `to` are where redirect and dnat lead; an empty host is the host's own address.
    """

    host: str
    tool: str
    family: str
    table: str = ""
    hook: str
    priority: int = 0
    protocol: str
    low: int
    high: int
    match: str = "interval"
    peer: str = ""
    verdict: str
    place: str = "first"
    to_host: str = ""
    to: int = 0

    @property
    def versions(self) -> tuple[int, ...]:
        """The IP versions it meets."""
        return {"ip": (4,), "ip6": (6,)}.get(self.family, (4, 6))

    @property
    def inward(self) -> bool:
        """True where it meets what comes to the host."""
        return self.hook in ("ingress", "prerouting", "input")

    @property
    def leads(self) -> bool:
        """True where it translates."""
        return self.verdict in ("redirect", "dnat")

    @property
    def ports(self) -> tuple[int, ...]:
        """Every boundary of its ports, the neighbours outside, and the middle."""
        middle = (self.low + self.high) // 2
        near = {self.low - 1, self.low, middle, self.high, self.high + 1}
        if self.match == "set":
            near |= {self.low + 1, self.high - 1}
        return tuple(sorted(port for port in near if 1 <= port <= 65535))

    def __str__(self) -> str:
        return json.dumps({key: value for key, value in asdict(self).items() if value != ""})


def parse(text: str) -> Fault:
    """Return the fault that was printed so."""
    return Fault(**json.loads(text))
