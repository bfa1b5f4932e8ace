"""Which translations are a cluster's or a container runtime's own, by what they do and not by a name alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address

from model import bits
from model.base import Address, Network
from model.packets.iptables_save import Step
from model.packets.known_rules import PUBLISHING_CHAINS

# Where Kubernetes puts the ports of Services at its nodes.
NODE_PORTS = bits.from_intervals([(30000, 32767)])
# Where kube-proxy leads to one end of a Service, which may be a pod in its node's own network.
_ENDS_OF_SERVICES = "KUBE-SEP-"


@dataclass(frozen=True, slots=True)
class DnatTarget:
    """Where a rule sends packets: None means that they keep theirs; `readable` is False where there are several."""

    address: Address | None
    port: int | None
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Publishing:
    """
    Translations towards containers: never an address of the host itself (`own`), nor one in a network where machines
    of the site are (`machines`).
    """

    own: Collection[Address] = ()
    machines: Collection[Network] = ()

    def does(self, step: Step, ports: int) -> bool:
        """Return whether a rule leads these ports to a container, or node ports to an end of a Service."""
        if step.target != "DNAT" or not step.chain.startswith(PUBLISHING_CHAINS):
            return False
        to = translation(step.to)
        if not to.readable or to.address is None:
            return False
        if step.chain.startswith(_ENDS_OF_SERVICES) and not ports & ~NODE_PORTS:
            return True
        return not (to.address.is_loopback or to.address in self.own or self._at_machines(to.address))

    def _at_machines(self, address: Address) -> bool:
        return any(address in network for network in self.machines)


def translation(to: str) -> DnatTarget:
    """Read `10250`, `10.0.0.1`, `10.0.0.1:80`, `[fd00::1]:80` or `:80`; ranges lead nobody knows where."""
    address, _, port = to.rpartition(":") if ":" in to and not _is_address(to) else ("", "", to)
    if _is_address(to):
        address, port = to, ""
    address = address.strip("[]")
    readable = (not address or _is_address(address)) and (not port or port.isdigit())
    return DnatTarget(
        ip_address(address) if address and readable else None, int(port) if port and readable else None, readable
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
