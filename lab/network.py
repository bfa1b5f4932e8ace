"""The lab's networks: a namespace without any way out holds the bridges; every host has one of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.commands import call
from lab.instance import NAMESPACES, Instance
from lab.topology import (
    CONTROLLER_NUMBER,
    INTERNET,
    LI,
    MAIN,
    MANAGEMENT,
    NETWORKS,
    ROUTER,
    ROUTER_NUMBER,
    LabHost,
    LabNetwork,
)

# Addresses must answer at once: no duplicate detection, no router advertisements.
_QUICK = {
    f"net.ipv6.conf.{scope}.{name}": "0"
    for scope in ("all", "default")
    for name in ("accept_dad", "dad_transmits", "accept_ra", "autoconf")
}
# Frames on a bridge are no business of the lab namespace's own packet filter.
_PLAIN_BRIDGES = {f"net.bridge.bridge-nf-call-{tables}": "0" for tables in ("iptables", "ip6tables", "arptables")}


def bridge(network: str) -> str:
    """Return the name of a network's bridge in the lab's namespace."""
    return f"br-{network}"


def peer(host: str, number: int) -> str:
    """Return the name, in the lab's namespace, of the other end of a host's interface eth<number>."""
    return f"v-{host}-{number}"


def exists(namespace: str) -> bool:
    """Return whether a namespace of this name exists."""
    return (NAMESPACES / namespace).exists()


def build(instance: Instance) -> None:
    """Make the lab's own namespace: four bridges, and the controller's address on the management network alone."""
    namespace = instance.namespace()
    call(("ip", "netns", "add", namespace))
    settings = {
        **_QUICK,
        **_PLAIN_BRIDGES,
        **{f"net.ipv6.conf.{scope}.disable_ipv6": "0" for scope in ("all", "default")},
    }
    _sysctl(namespace, settings)
    batch(namespace, _bridges())
    silent = {f"net/ipv6/conf/{bridge(name)}/disable_ipv6": "1" for name in NETWORKS if name != MANAGEMENT.name}
    _sysctl(namespace, silent)


def _bridges() -> Iterable[str]:
    yield "link set lo up"
    for name in NETWORKS:
        yield f"link add {bridge(name)} type bridge stp_state 0 mcast_snooping 0 forward_delay 0"
        yield f"link set {bridge(name)} up"
    device = bridge(MANAGEMENT.name)
    yield f"link set {device} address {_mac(MANAGEMENT, CONTROLLER_NUMBER)}"
    for address in MANAGEMENT.at(CONTROLLER_NUMBER):
        yield f"address add {address}/{_prefix(MANAGEMENT, address.version)} dev {device} nodad"
    for network in (MAIN, LI, INTERNET):
        yield f"route add {network.ipv4} via {MANAGEMENT.at(ROUTER_NUMBER)[0]}"
        yield f"route add {network.ipv6} via {MANAGEMENT.at(ROUTER_NUMBER)[1]}"


def attach(instance: Instance, host: LabHost) -> None:
    """
    Make a host's namespace and plug it into its networks.

    The namespace is always a new one, so no packet-filter rule of a former life is left in it.
    """
    namespace = instance.namespace(host.name)
    detach(instance, host.name, len(host.legs))
    call(("ip", "netns", "add", namespace))
    _sysctl(namespace, _QUICK)
    batch(instance.namespace(), _plugs(instance, host))
    batch(namespace, _legs(host))


def detach(instance: Instance, host: str, legs: int = 2) -> None:
    """Take a host's namespace and its ends of cables away, as far as they exist."""
    present = set(interfaces(instance.namespace())) if exists(instance.namespace()) else set()
    gone = [f"link delete {name}" for name in (peer(host, number) for number in range(legs)) if name in present]
    if gone:
        batch(instance.namespace(), gone)
    if exists(instance.namespace(host)):
        call(("ip", "netns", "delete", instance.namespace(host)))


def interfaces(namespace: str) -> tuple[str, ...]:
    """Return the names of a namespace's interfaces."""
    lines = call(("ip", "-n", namespace, "-oneline", "link", "show")).splitlines()
    return tuple(line.split(": ")[1].split("@")[0] for line in lines)


def batch(namespace: str, lines: Iterable[str]) -> None:
    """Run ip(8) commands in a namespace, in order, the first failing one being the last."""
    call(("ip", "-n", namespace, "-batch", "-"), stdin="\n".join(lines) + "\n")


def within(instance: Instance, host: str, argv: Sequence[str], stdin: str = "") -> str:
    """Run a program of this machine with a host's network and return what it printed."""
    return call(("nsenter", f"--net={instance.namespace_path(host)}", "--", *argv), stdin=stdin)


def _plugs(instance: Instance, host: LabHost) -> Iterable[str]:
    for number, leg in enumerate(host.legs):
        name = peer(host.name, number)
        yield f"link add {name} type veth peer name eth{number} netns {instance.namespace(host.name)}"
        yield f"link set {name} master {bridge(leg.network)} addrgenmode none up"


def _legs(host: LabHost) -> Iterable[str]:
    yield "link set lo up"
    for number, leg in enumerate(host.legs):
        network = NETWORKS[leg.network]
        yield f"link set eth{number} address {_mac(network, leg.number)} up"
        for address in leg.addresses:
            yield f"address add {address}/{_prefix(network, address.version)} dev eth{number} nodad"
    if host.name != ROUTER:
        for gateway in NETWORKS[host.legs[0].network].at(ROUTER_NUMBER):
            yield f"route add default via {gateway}"


def external(instance: Instance, addresses: Iterable[str]) -> None:
    """Give the router the addresses that the internet sees."""
    number = next(index for index, leg in enumerate(_router_legs()) if leg == INTERNET.name)
    lines = [f"address add {address}/{64 if ':' in address else 24} dev eth{number} nodad" for address in addresses]
    if lines:
        batch(instance.namespace(ROUTER), lines)


def _router_legs() -> tuple[str, ...]:
    return tuple(NETWORKS)


def _prefix(network: LabNetwork, version: int) -> int:
    return network.ipv4.prefixlen if version == 4 else network.ipv6.prefixlen


def _mac(network: LabNetwork, number: int) -> str:
    """The same after every power-off, so that neighbours need not learn it anew."""
    return f"02:6d:66:00:{tuple(NETWORKS).index(network.name):02x}:{number:02x}"


def _sysctl(namespace: str, settings: dict[str, str]) -> None:
    path = NAMESPACES / namespace
    text = "".join(f"-{name} = {value}\n" for name, value in settings.items())
    call(("nsenter", f"--net={path}", "--", "sysctl", "--quiet", "--load=-"), stdin=text)
