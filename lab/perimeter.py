"""What the organisation's firewall lets through, rendered for nftables from the site the lab emits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.topology import INTERNET, LI, MAIN, MANAGEMENT, NETWORKS
from model.base import Address
from model.site.hosts import Machine
from model.site.rows import Row
from model.site.site import Site

TABLE = "inet perimeter"
_DEVICES = {name: f"eth{number}" for number, name in enumerate(NETWORKS)}
_SSH = 22
_KUBELET = 10250
_API = 6443
_POSTGRESQL = 5432
_S3 = 9000
_KEY_VAULT = 8000
_VXLAN = 8472


def ruleset(site: Site) -> str:
    """Return the whole ruleset for `nft -f`; loading it again replaces it in one step."""
    chains = (
        _chain("input", "type filter hook input priority filter; policy drop;", _input()),
        _chain("forward", "type filter hook forward priority filter; policy drop;", _forward(site)),
        _chain("prerouting", "type nat hook prerouting priority dstnat;", _translation(site)),
        _chain("postrouting", "type nat hook postrouting priority srcnat;", ()),
    )
    return f"table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n{''.join(chains)}}}\n"


def _chain(name: str, hook: str, rules: Iterable[str]) -> str:
    body = "".join(f"\t\t{rule}\n" for rule in rules)
    return f"\tchain {name} {{\n\t\t{hook}\n{body}\t}}\n"


def _input() -> Iterable[str]:
    inside = _devices(MANAGEMENT.name, MAIN.name, LI.name)
    yield "ct state established,related accept"
    yield "iifname lo accept"
    yield "meta l4proto { icmp, ipv6-icmp } accept"
    yield f"iifname {_DEVICES[MANAGEMENT.name]} tcp dport {_SSH} accept"
    yield f"iifname {inside} udp dport {{ 53, 123 }} accept"
    yield f"iifname {inside} tcp dport {{ 53, 80 }} accept"
    yield (
        f"iifname {_DEVICES[INTERNET.name]} meta l4proto {{ tcp, udp }} th dport 53 "
        'accept comment "the internet has names, too"'
    )


def _forward(site: Site) -> Iterable[str]:
    yield "ct state established,related accept"
    yield f'{_from_to(MANAGEMENT.name, MAIN.name)} accept comment "deployers reach the main network"'
    path = _from_to(MANAGEMENT.name, INTERNET.name)
    yield f'{path} tcp dport {_SSH} accept comment "deployers reach the vantage host"'
    for _, target, protocol, ports in published(site):
        yield f"iifname {_DEVICES[INTERNET.name]} {_to((target,))} {protocol} dport {ports} ct status dnat accept"
    yield from _outward(site)
    yield from _border(site)


def _outward(site: Site) -> Iterable[str]:
    """The main network reaches the internet by the rows that lead there; pods go as the servers they run on."""
    for row in site.active_rows:
        if row.plane == "external" and "internet" in row.destination_ends:
            ends = [machine for end in row.source_ends for machine in site.machines_at(end)]
            sources = list(dict.fromkeys(machine for machine in ends if machine.network == MAIN.name))
            yield from _from(_own(sources), INTERNET.name, f"{row.protocol} dport {_ports(row)}")


def _border(site: Site) -> Iterable[str]:
    """Exactly these flows cross between LI and the rest."""
    main = [machine for machine in site.servers if machine.network == MAIN.name]
    planes = [machine for machine in main if machine.node == "control_plane"]
    addresses = [*_own(planes), *site.settings.kubernetes.endpoint.addresses]
    yield f'{_from_to(MANAGEMENT.name, LI.name)} tcp dport {_SSH} accept comment "deployers reach LI over SSH"'
    yield from _between(LI.name, addresses, f"tcp dport {{ {_API}, {site.settings.kubernetes.endpoint.port} }}")
    yield from _from(_own(planes), LI.name, f"tcp dport {_KUBELET}")
    nodes = _own([machine for machine in main if machine.node])
    yield from _between(LI.name, nodes, f"udp dport {_VXLAN}")
    yield from _from(nodes, LI.name, f"udp dport {_VXLAN}")
    yield from _between(LI.name, _own(_with_role(main, "database")), f"tcp dport {_POSTGRESQL}")
    yield from _between(LI.name, _own(_with_role(main, "storage")), f"tcp dport {_S3}")
    yield from _from(_own(_with_role(main, "worker")), LI.name, f"tcp dport {_KEY_VAULT}")


def _with_role(machines: Sequence[Machine], role: str) -> list[Machine]:
    return [machine for machine in machines if role in machine.roles]


def _between(network: str, destinations: Sequence[Address], what: str) -> Iterable[str]:
    for family in _families(destinations):
        yield f"{_from_to(network, MAIN.name)} {_match('daddr', family)} {what} accept"


def _from(sources: Sequence[Address], network: str, what: str) -> Iterable[str]:
    for family in _families(sources):
        yield f"{_from_to(MAIN.name, network)} {_match('saddr', family)} {what} accept"


def _translation(site: Site) -> Iterable[str]:
    """
    Lead the internet and deployers from an external address to the host behind it.

    Servers and pods are not led back in: their answers would have to be translated as well, and nothing of a site may
    need that.
    """
    outside = _devices(INTERNET.name, MANAGEMENT.name)
    for public, target, protocol, ports in published(site):
        family = "ip" if public.version == 4 else "ip6"
        yield f"iifname {outside} {_to((public,))} {protocol} dport {ports} dnat {family} to {target}"


def published(site: Site) -> list[tuple[Address, Address, str, str]]:
    """Return what the internet may reach: external address, the host's own, protocol, ports as nftables writes them."""
    pairs: list[tuple[Address, Address, str, str]] = []
    for row in site.active_rows:
        if row.plane != "external" or "internet" not in row.source_ends or row.target not in site.settings.external:
            continue
        ports = _ports(row)
        for public in site.settings.external[row.target].addresses:
            target = site.targets(row)[0].speaks(public.version)
            if target is not None:
                pairs.append((public, target, row.protocol, ports))
    return pairs


def _ports(row: Row) -> str:
    return "{ " + ", ".join(f"{low}-{high}" if high > low else str(low) for low, high in row.intervals) + " }"


def _own(machines: Sequence[Machine]) -> list[Address]:
    return [address for machine in machines for address in machine.own]


def _families(addresses: Sequence[Address]) -> list[list[Address]]:
    families = ([address for address in addresses if address.version == version] for version in (4, 6))
    return [family for family in families if family]


def _to(addresses: Sequence[Address]) -> str:
    return _match("daddr", addresses)


def _match(end: str, addresses: Sequence[Address]) -> str:
    family = "ip" if addresses[0].version == 4 else "ip6"
    return f"{family} {end} {{ {', '.join(str(address) for address in addresses)} }}"


def _from_to(source: str, destination: str) -> str:
    return f"iifname {_DEVICES[source]} oifname {_DEVICES[destination]}"


def _devices(*networks: str) -> str:
    return "{ " + ", ".join(_DEVICES[name] for name in networks) + " }"
