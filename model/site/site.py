"""The site: settings, machines, roles and the port matrix's rows as one frozen whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path

from model.base import Address, Network
from model.site.components import Component
from model.site.derived import Derivation
from model.site.hosts import GroupEntry, HostEntry, Machine, Purpose, Traits
from model.site.images import ApplicationImage
from model.site.roles import resolved
from model.site.rows import WORDS, Row
from model.site.secrets import SecretSpec
from model.site.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSpec:
    """
    What the rollout brings: its components, their images by name, what is put on some of these, and the secrets they
    need.
    """

    components: tuple[Component, ...] = ()
    images: Mapping[str, ApplicationImage] = field(default_factory=dict)
    derivations: Mapping[str, Derivation] = field(default_factory=dict)
    secrets: tuple[SecretSpec, ...] = ()


@dataclass(frozen=True, eq=False)
class Site:
    """
    Everything a person declared, with the questions the rest of the program asks of it.

    Files that the settings name lie relative to `folder`.
    """

    settings: Settings
    machines: tuple[Machine, ...]
    roles: Mapping[str, Traits]
    rows: tuple[Row, ...]
    folder: Path
    application: ApplicationSpec = ApplicationSpec()

    @property
    def components(self) -> tuple[Component, ...]:
        """Every component that components.yaml declares, whether the site has it or not."""
        return self.application.components

    @property
    def images(self) -> Mapping[str, ApplicationImage]:
        """The application's images by the name templates call them."""
        return self.application.images

    @property
    def derivations(self) -> Mapping[str, Derivation]:
        """What is put on the publishers' images, by the names of those that are `derived`."""
        return self.application.derivations

    @property
    def secrets(self) -> tuple[SecretSpec, ...]:
        """The secrets that hold for the site."""
        return tuple(spec for spec in self.application.secrets if self.settings.active.issuperset(spec.when))

    @property
    def name(self) -> str:
        """The site's name, as reports carry it."""
        return self.settings.name

    @cached_property
    def by_name(self) -> Mapping[str, Machine]:
        """Machines by name."""
        return {machine.name: machine for machine in self.machines}

    @cached_property
    def servers(self) -> tuple[Machine, ...]:
        """Machines whose firewall is ours: neither the vantage host nor the perimeter device."""
        return tuple(machine for machine in self.machines if machine.kind == "server")

    @cached_property
    def vantages(self) -> tuple[Machine, ...]:
        """Hosts that look at the site from the internet's side."""
        return tuple(machine for machine in self.machines if machine.kind == "vantage")

    @cached_property
    def nodes(self) -> tuple[Machine, ...]:
        """What the row word `nodes` means: every Kubernetes node outside isolated networks."""
        return tuple(machine for machine in self.servers if machine.node and not self.isolated(machine))

    @cached_property
    def control_planes(self) -> tuple[Machine, ...]:
        """Nodes that run the API and etcd, in the order of the inventory."""
        return tuple(machine for machine in self.servers if machine.node == "control_plane")

    @cached_property
    def active_rows(self) -> tuple[Row, ...]:
        """Rows whose conditions hold for this site."""
        settings = self.settings
        install = settings.egress == "open"
        return tuple(row for row in self.rows if row.holds(settings.active, settings.cni.tags, install))

    def isolated(self, machine: Machine) -> bool:
        """Return whether the machine lives in an isolated network."""
        plan = self.settings.networks.get(machine.network)
        return plan is not None and plan.isolated

    @cached_property
    def isolated_networks(self) -> tuple[Network, ...]:
        """CIDRs of every isolated network."""
        return tuple(cidr for plan in self.settings.networks.values() if plan.isolated for cidr in plan.cidrs)

    @cached_property
    def machine_networks(self) -> tuple[Network, ...]:
        """Every network in which the site has machines, and no containers."""
        declared = [cidr for plan in self.settings.networks.values() for cidr in plan.cidrs]
        single = [ip_network(address) for machine in self.machines for _, address in machine.every]
        return tuple(dict.fromkeys((*declared, *single)))

    def with_role(self, role: str) -> tuple[Machine, ...]:
        """Return the machines that have the role, in the order of the inventory."""
        return tuple(machine for machine in self.machines if role in machine.roles)

    def with_purpose(self, purpose: Purpose) -> tuple[Machine, ...]:
        """Return the machines that have a role of this purpose, in the order of the inventory."""
        roles = {name for name, traits in self.roles.items() if traits.purpose == purpose}
        return tuple(machine for machine in self.machines if roles.intersection(machine.roles))

    def machines_at(self, end: str) -> tuple[Machine, ...]:
        """Return the machines a row's end stands for; none for an end that is a network."""
        if end == "nodes":
            return self.nodes
        if end == "vantage":
            return self.vantages
        return () if end in WORDS else self.with_role(end)

    def networks_at(self, end: str) -> tuple[Network, ...]:
        """Return the networks a row's end stands for; none for an end that is machines."""
        return self._networks.get(end, ())

    @cached_property
    def _networks(self) -> Mapping[str, tuple[Network, ...]]:
        settings = self.settings
        return {
            "management": settings.management,
            "internet": settings.internet,
            "clients": settings.clients,
            "admins": settings.admins,
            "li_clients": settings.li.clients,
            "pods": settings.kubernetes.pod_cidrs,
            "dns_servers": tuple(ip_network(address) for address in settings.dns.main),
            "li_dns_servers": tuple(ip_network(address) for address in settings.dns.li),
            "ntp_servers": tuple(ip_network(address) for address in settings.ntp),
        }

    def targets(self, row: Row) -> tuple[Machine, ...]:
        """Return the machines behind the external address an external row names."""
        external = self.settings.external.get(row.target or "")
        return tuple(self.by_name[name] for name in external.targets) if external else ()

    def endpoint_addresses(self, machine: Machine) -> tuple[Address, ...]:
        """Return the API endpoint's addresses where the machine may hold them."""
        endpoint = self.settings.kubernetes.endpoint
        held = machine.node == "control_plane" and endpoint.provider == "keepalived"
        return endpoint.addresses if held else ()


def build(
    settings: Settings,
    hosts: Mapping[str, HostEntry],
    groups: Mapping[str, GroupEntry],
    rows: tuple[Row, ...],
    folder: Path,
    application: ApplicationSpec = ApplicationSpec(),
) -> Site:
    """
    Join the files of a folder into a site. References between files must already be known to be whole (see
    `model.site.load`).
    """
    roles = {name: resolved(name, group.data) for name, group in groups.items()}
    machines = tuple(_machine(name, entry, roles) for name, entry in hosts.items())
    return Site(settings, machines, roles, rows, folder, application)


def _machine(name: str, entry: HostEntry, roles: Mapping[str, Traits]) -> Machine:
    traits = [roles[group] for group in entry.groups]
    nodes = {trait.node for trait in traits if trait.node}
    return Machine(
        name=name,
        hostname=entry.hostname,
        port=entry.port,
        roles=entry.groups,
        kind=traits[0].kind,
        node="control_plane" if "control_plane" in nodes else ("worker" if nodes else None),
        network=traits[0].network,
        addresses=entry.data.addresses,
        data=entry.data,
    )
