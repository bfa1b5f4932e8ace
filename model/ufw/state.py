"""What ufw should hold on one host: rules, defaults, kernel, all derived from the port matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_network
from types import MappingProxyType

from model.base import Address, Network
from model.matrix.matrix import HostRule, host_rules
from model.site.hosts import Machine
from model.site.site import Site
from model.ufw.kernel import EMPTY, UfwKernel, expected, read
from model.ufw.rule import ANYWHERE, MARK, UfwRule
from model.ufw.text import level_of, render, with_level, with_option

CONF = "/etc/ufw/ufw.conf"
DEFAULTS = "/etc/default/ufw"
USER = {4: "/etc/ufw/user.rules", 6: "/etc/ufw/user6.rules"}
BEFORE = {4: "/etc/ufw/before.rules", 6: "/etc/ufw/before6.rules"}
AFTER = {4: "/etc/ufw/after.rules", 6: "/etc/ufw/after6.rules"}
# What this project writes, in the order it is written: the rules before the flag that makes them count.
FILES = (USER[4], USER[6], DEFAULTS, CONF)
POD_NETWORK = "pod-network"
_POLICY = (
    ("IPV6", "yes"),
    ("DEFAULT_INPUT_POLICY", '"DROP"'),
    ("DEFAULT_OUTPUT_POLICY", '"ACCEPT"'),
    ("DEFAULT_FORWARD_POLICY", '"DROP"'),
    ("MANAGE_BUILTINS", "no"),
)
_NOT_TRIED: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True)
class UfwState:
    """
    Everything of ufw's that this project changes on a host.

    Kernel by IP version, files by path (absent: no such file), and the boot flag of ufw's unit.
    """

    kernel: Mapping[int, UfwKernel]
    files: Mapping[str, str]
    unit_enabled: bool

    @property
    def running(self) -> bool:
        """True when the kernel holds ufw's chains."""
        return self.kernel[4].running


def read_state(saved: Mapping[int, str], files: Mapping[str, str], unit_enabled: bool) -> UfwState:
    """
    Return ufw's state on a host: iptables-save by IP version, its files' texts by path (others are left out), its
    unit's boot flag.
    """
    kernel = {version: read(saved[version], version) for version in (4, 6)}
    return UfwState(kernel, {path: files[path] for path in FILES if path in files}, unit_enabled)


def desired_rules(site: Site, machine: Machine, version: int) -> tuple[UfwRule, ...]:
    """
    Return ufw's rules of one family (4 or 6): refusals first, then admissions, then what pods need forwarded.

    Rules that ufw takes for the same one are joined; the comment names every row they come from.
    """
    return _joined(site, machine)[version]


@lru_cache(maxsize=1024)
def _joined(site: Site, machine: Machine) -> Mapping[int, tuple[UfwRule, ...]]:
    rows: dict[UfwRule, list[str]] = {}
    for rule in host_rules(site, machine):
        rows.setdefault(_input(rule), []).append(rule.row)
    for route in _routes(site, machine):
        rows.setdefault(route, []).append(POD_NETWORK)
    joined = [replace(rule, comment=" ".join((MARK, *dict.fromkeys(names)))) for rule, names in rows.items()]
    return {version: tuple(rule for rule in joined if rule.version == version) for version in (4, 6)}


def _input(rule: HostRule) -> UfwRule:
    low, high = rule.interval
    port = "any" if not high else (str(low) if low == high else f"{low}:{high}")
    destination = ANYWHERE[rule.version] if rule.destination is None else str(rule.destination)
    return UfwRule(
        action=rule.action,
        protocol=rule.protocol,
        destination_port=port,
        destination=destination,
        source_port="any",
        source=_written(rule.source),
    )


def _written(network: Network) -> str:
    """Write a network as ufw does: a single address without its length."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _routes(site: Site, machine: Machine) -> Iterable[UfwRule]:
    """
    A node forwards between pods, Services and everything else; what may pass there is the pod network's policy to say.
    """
    if machine.node is None:
        return
    kubernetes = site.settings.kubernetes
    for network in (*kubernetes.pod_cidrs, *kubernetes.service_cidrs):
        anywhere = ANYWHERE[network.version]
        yield UfwRule(
            action="allow",
            protocol="any",
            destination_port="any",
            destination=anywhere,
            source_port="any",
            source=str(network),
            route=True,
        )
        yield UfwRule(
            action="allow",
            protocol="any",
            destination_port="any",
            destination=str(network),
            source_port="any",
            source=anywhere,
            route=True,
        )


def desired_state(
    site: Site, machine: Machine, files: Mapping[str, str], ipv6: bool, own: Mapping[int, str] = _NOT_TRIED
) -> UfwState:
    """
    Return what the host should hold, given its own ufw files (their texts by path, before and after rules too).

    A logging level that ufw has, and whatever else stands in ufw.conf and /etc/default/ufw, stay. `ipv6`: whether its
    kernel has IPv6. `own`: its before and after rules, by IP version, as its own iptables writes them.
    """
    level = level_of(files.get(CONF, ""))
    user = {version: render(desired_rules(site, machine, version), version, level) for version in (4, 6)}
    conf = with_level(with_option(files.get(CONF, ""), "ENABLED", "yes"))
    kernel = {
        version: expected(
            files.get(BEFORE[version], ""), files.get(AFTER[version], ""), user[version], version, own.get(version)
        )
        for version in (4, 6)
    }
    if not ipv6:
        kernel[6] = EMPTY
    return UfwState(kernel, {USER[4]: user[4], USER[6]: user[6], DEFAULTS: desired_defaults(files), CONF: conf}, True)


def desired_defaults(files: Mapping[str, str]) -> str:
    """Return the text that /etc/default/ufw should have, given the host's own."""
    defaults = files.get(DEFAULTS, "")
    for key, value in _POLICY:
        defaults = with_option(defaults, key, value)
    return defaults


def admits(rules: Iterable[UfwRule], client: Address, server: Address, port: int) -> bool:
    """
    Return whether these rules let a new TCP connection in; the first that matches decides, and none means no.

    A connection of the host with itself never meets them.
    """
    if client.is_loopback or client == server:
        return True
    for rule in rules:
        if rule.route or rule.protocol not in ("tcp", "any") or not rule.where.startswith("in"):
            continue
        if _covers(rule.source, client) and _covers(rule.destination, server) and _ports(rule.destination_port, port):
            return rule.action in ("allow", "limit")
    return False


def _covers(written: str, address: Address) -> bool:
    return address in _network(written)


@lru_cache(maxsize=65536)
def _network(written: str) -> Network:
    return ip_network(written)


def _ports(written: str, port: int) -> bool:
    if written == "any":
        return True
    pairs = (part.partition(":") for part in written.split(","))
    return any(int(low) <= port <= int(high or low) for low, _, high in pairs)
