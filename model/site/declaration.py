"""What an organisation's answers declare: hosts with their roles and addresses, and the settings of the site."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from model.base import Address
from model.site.answers import Answers, disk, named_outside, named_servers
from model.site.hosts import Purpose, Traits

# The two networks that an organisation is asked about; the reference site's roles live in networks of these names.
_MAIN, _ISOLATED = "main", "li"


def hosts_of(answers: Answers, roles: Mapping[str, Traits]) -> dict[str, Any]:
    """Return what hosts.yaml says of each server."""
    disks = _disks(answers)
    servers = {
        name: _host(answers, addresses, groups, roles, disks.get(name, []))
        for name, (addresses, groups) in named_servers(answers.servers).items()
    }
    outside = named_outside(answers.outside)
    role = _watching(roles)
    return servers | {name: _host(answers, held, [role], roles, []) for name, held in outside.items()}


def _watching(roles: Mapping[str, Traits]) -> str:
    """Return the role of hosts outside the perimeter."""
    return next(name for name, traits in roles.items() if traits.kind == "vantage")


def _disks(answers: Answers) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for purpose, texts in (("database", answers.database_disks), ("objects", answers.object_disks)):
        for host, name, gib in map(disk, texts):
            found.setdefault(host, []).append({"id": name, "gib": gib, "purpose": purpose})
    return found


def _host(
    answers: Answers,
    addresses: tuple[Address, ...],
    groups: list[str],
    roles: Mapping[str, Traits],
    disks: list[dict[str, Any]],
) -> dict[str, Any]:
    # One role of another network takes the host there; lint says that the others do not go with it.
    networks = [roles[group].network for group in groups if group in roles]
    network = next((network for network in networks if network != _MAIN), _MAIN)
    port = {} if answers.ssh_port == 22 else {"port": answers.ssh_port}
    data = {"addresses": {network: [str(address) for address in addresses]}, **({"disks": disks} if disks else {})}
    return {"hostname": str(addresses[0]), **port, "groups": groups, "data": data}


def settings_of(answers: Answers, hosts: Mapping[str, Any], roles: Mapping[str, Traits]) -> dict[str, Any]:
    """Return what site.yaml says, in the order in which a person reads it."""
    given = answers.model_dump(mode="json")
    networks: dict[str, Any] = {_MAIN: {"cidrs": given["main_network"], "gateway": given["main_gateway"]}}
    if answers.li:
        networks[_ISOLATED] = {"cidrs": given["li_network"], "gateway": given["li_gateway"], "isolated": True}
    if answers.outside:
        own = [str(ip_network(address)) for held in named_outside(answers.outside).values() for address in held]
        networks[roles[_watching(roles)].network] = {"cidrs": own}
    return {
        "name": answers.name,
        "domain": answers.domain,
        "concurrent_users": answers.concurrent_users,
        **({"size": answers.size} if answers.size != "auto" else {}),
        "federation": answers.federation,
        "egress": answers.egress,
        "organisation_contact": answers.organisation_contact,
        "networks": networks,
        "management": given["management"],
        "admins": given["admins"] or given["management"],
        "external": _external(given, hosts, roles),
        "dns": {"main": given["dns"], "li": given["li_dns"] if answers.li else []},
        "ntp": given["ntp"],
        "tls": _tls(given),
        "cni": {"name": answers.cni, "mode": "vxlan"},
        "kubernetes": _kubernetes(given),
        **({"servers": {"administrators": [answers.ssh_user]}} if answers.ssh_user != "root" else {}),
        "features": _features(answers),
        **({"li": _li(given, hosts, roles)} if answers.li else {}),
        "perimeter": {"contact": answers.firewall_contact},
        "waivers": [],
    }


def _external(given: Mapping[str, Any], hosts: Mapping[str, Any], roles: Mapping[str, Traits]) -> dict[str, Any]:
    calls = _serving(hosts, roles, "calls")
    targets = given["ingress_servers"] or _serving(hosts, roles, "application")[:1]
    external = {"ingress": {"addresses": given["ingress_addresses"], "targets": targets}}
    if given["turn"]:
        external["turn"] = {"addresses": given["turn_addresses"], "targets": calls[:1]}
    if given["livekit"]:
        external["livekit"] = {"addresses": given["livekit_addresses"], "targets": calls[-1:]}
    return external


def _serving(hosts: Mapping[str, Any], roles: Mapping[str, Traits], purpose: Purpose) -> list[str]:
    """Return the hosts that have a role of the purpose."""
    groups = {name for name, traits in roles.items() if traits.purpose == purpose}
    return [name for name, host in hosts.items() if groups.intersection(host["groups"])]


def _tls(given: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {word: given[word] for word in ("email", "certificate", "private_key") if given[word]}
    return {"method": given["certificates"], "li_method": given["li_certificates"], **chosen}


def _kubernetes(given: Mapping[str, Any]) -> dict[str, Any]:
    endpoint = {
        "name": given["api_name"] or f"api.{given['domain']}",
        "addresses": [given["api_address"]] if given["api_address"] else [],
        "port": 8443 if given["api_provider"] == "keepalived" else 6443,
        "provider": given["api_provider"],
    }
    return {
        "version": given["kubernetes_version"],
        "endpoint": endpoint,
        "pod_cidrs": given["pod_network"],
        "service_cidrs": given["service_network"],
    }


def _features(answers: Answers) -> dict[str, bool]:
    return {
        "turn": answers.turn,
        "livekit": answers.livekit,
        "element_call": answers.livekit,
        "li": answers.li,
        "antivirus": answers.antivirus,
        "monitoring": answers.monitoring,
        "node_exporter": answers.monitoring,
        "push_notifications": answers.push_notifications,
        "smtp": answers.smtp,
        "element_web": answers.element_web,
        "admin_ui": answers.admin_ui,
        "autoscaling": answers.autoscaled,
    }


def _li(given: Mapping[str, Any], hosts: Mapping[str, Any], roles: Mapping[str, Traits]) -> dict[str, Any]:
    servers = _serving(hosts, roles, "interception")
    own = [address for name in servers for address in hosts[name]["data"]["addresses"].get(_ISOLATED, ())]
    clients = given["li_clients"] or given["li_network"]
    return {"access": given["li_access"], "ingress": given["li_ingress"] or own, "clients": clients}
