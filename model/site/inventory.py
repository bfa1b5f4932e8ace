"""How do an organisation's answers become the five files of a site?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from model.base import Address
from model.site.answers import PREFIXES, Answers, server

_COMMENTS = {
    "name": "The site's name, as reports carry it.",
    "domain": "Names derive from it: matrix., chat., turn. and api. of this domain.",
    "concurrent_users": "Users at the same time; the sizing follows. `size: lab` asks for less.",
    "federation": "Other homeservers: opens 8448 to the ingress.",
    "egress": "`closed`: the way to the internet is proven closed after installation.",
    "organisation_contact": "Who answers questions.",
    "networks": "The organisation's networks. Hosts of an isolated one are reached only by rows of ports.yaml that name them.",
    "management": "Deployers use SSH from here, and from nowhere else.",
    "admins": "Administrators' browsers: dashboards and consoles.",
    "external": "Addresses the internet sees, and the hosts the perimeter translates them to.",
    "dns": "Name servers of the main view and of the isolated one.",
    "ntp": "Time servers.",
    "tls": "Where certificates come from. HTTP-01 cannot reach names that only LI resolves.",
    "cni": "The pod network: calico, cilium or flannel; mode vxlan or (calico) bgp.",
    "kubernetes": "The API endpoint is an address the control planes hold together (keepalived), or the organisation's balancer.",
    "servers": "How every server's system is set up: proxy, mirror, time, trusted certificates; `administrators` may become root.",
    "features": "What is off is closed, and proven closed.",
    "li": "How lawful intercept is reached, and by whom.",
    "perimeter": "The organisation's firewall; `device` may name a host of hosts.yaml whose rules are read as evidence.",
    "waivers": "Findings somebody answers for: {id, host, reason, owner, expires}.",
}
_HOSTS = """\
# How the controller reaches each host (hostname, port), which roles it has, and its addresses by network.
# A host outside the perimeter with the role `vantage`, in a network of its own, proves what the internet sees.
"""
_SSH_ROW = re.compile(r"(\{name: ssh(?:-li)?, .*?ports: )\[22\]")
_DEFAULTS = "# Nornir's defaults for every host. Passwords have no place here: they are asked for.\n"


def compose(answers: Answers, groups: str, ports: str) -> Mapping[str, str]:
    """Return the texts of the five files by name; `groups` and `ports` are the texts of the reference site's."""
    hosts = _hosts(answers)
    defaults = {"username": answers.ssh_user, "platform": "linux", "data": {}}
    return {
        "site.yaml": _site(_settings(answers, hosts)),
        "hosts.yaml": _HOSTS + _yaml(hosts),
        "groups.yaml": groups,
        "defaults.yaml": _DEFAULTS + _yaml(defaults),
        "ports.yaml": _SSH_ROW.sub(rf"\g<1>[{answers.ssh_port}]", ports),
    }


def _site(settings: Mapping[str, Any]) -> str:
    parts = ["# What the organisation says once. `python -m flows.lint` checks it; docs/information.md explains it.\n"]
    for key, value in settings.items():
        parts.append(f"\n# {_COMMENTS[key]}\n{_yaml({key: value})}")
    return "".join(parts)


def _hosts(answers: Answers) -> dict[str, Any]:
    """Join what is said of one server under several roles; a server is known by its name or its first address."""
    named: dict[str, tuple[Address, ...]] = {}
    roles: dict[str, list[str]] = {}
    for role, texts in answers.servers.items():
        for number, text in enumerate(texts, 1):
            name, addresses = server(text, "")
            known = next((known for known, held in named.items() if held[0] == addresses[0]), None)
            chosen = name or known or f"{PREFIXES[role]}-{number}"
            named.setdefault(chosen, addresses)
            roles.setdefault(chosen, []).append(role)
    return {name: _host(answers, addresses, roles[name]) for name, addresses in named.items()}


def _host(answers: Answers, addresses: tuple[Address, ...], roles: list[str]) -> dict[str, Any]:
    network = "li" if "li" in roles else "main"
    port = {} if answers.ssh_port == 22 else {"port": answers.ssh_port}
    data = {"addresses": {network: [str(address) for address in addresses]}}
    return {"hostname": str(addresses[0]), **port, "groups": roles, "data": data}


def _settings(answers: Answers, hosts: Mapping[str, Any]) -> dict[str, Any]:
    said = answers.model_dump(mode="json")
    networks = {"main": {"cidrs": said["main_network"], "gateway": said["main_gateway"]}}
    if answers.li:
        networks["li"] = {"cidrs": said["li_network"], "gateway": said["li_gateway"], "isolated": True}
    return {
        "name": answers.name,
        "domain": answers.domain,
        "concurrent_users": answers.concurrent_users,
        "federation": answers.federation,
        "egress": answers.egress,
        "organisation_contact": answers.organisation_contact,
        "networks": networks,
        "management": said["management"],
        "admins": said["admins"] or said["management"],
        "external": _external(said, hosts),
        "dns": {"main": said["dns"], "li": said["li_dns"] if answers.li else []},
        "ntp": said["ntp"],
        "tls": _tls(said),
        "cni": {"name": answers.cni, "mode": "vxlan"},
        "kubernetes": _kubernetes(said),
        **({"servers": {"administrators": [answers.ssh_user]}} if answers.ssh_user != "root" else {}),
        "features": _features(answers),
        **({"li": _li(said, hosts)} if answers.li else {}),
        "perimeter": {"contact": answers.firewall_contact},
        "waivers": [],
    }


def _external(said: Mapping[str, Any], hosts: Mapping[str, Any]) -> dict[str, Any]:
    workers = _with_role(hosts, "worker")
    calls = _with_role(hosts, "call")
    targets = said["ingress_servers"] or workers[:1]
    external = {"ingress": {"addresses": said["ingress_addresses"], "targets": targets}}
    if said["turn"]:
        external["turn"] = {"addresses": said["turn_addresses"], "targets": calls[:1]}
    if said["livekit"]:
        external["livekit"] = {"addresses": said["livekit_addresses"], "targets": calls[-1:]}
    return external


def _with_role(hosts: Mapping[str, Any], role: str) -> list[str]:
    return [name for name, host in hosts.items() if role in host["groups"]]


def _tls(said: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {word: said[word] for word in ("email", "certificate", "private_key") if said[word]}
    return {"method": said["certificates"], "li_method": said["li_certificates"], **chosen}


def _kubernetes(said: Mapping[str, Any]) -> dict[str, Any]:
    endpoint = {
        "name": said["api_name"] or f"api.{said['domain']}",
        "addresses": [said["api_address"]] if said["api_address"] else [],
        "port": 8443 if said["api_provider"] == "keepalived" else 6443,
        "provider": said["api_provider"],
    }
    return {
        "version": said["kubernetes_version"],
        "endpoint": endpoint,
        "pod_cidrs": said["pod_network"],
        "service_cidrs": said["service_network"],
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
    }


def _li(said: Mapping[str, Any], hosts: Mapping[str, Any]) -> dict[str, Any]:
    own = [address for name in _with_role(hosts, "li") for address in hosts[name]["data"]["addresses"]["li"]]
    clients = said["li_clients"] or said["li_network"]
    return {"access": said["li_access"], "ingress": said["li_ingress"] or own, "clients": clients}


def _yaml(value: Mapping[str, Any], depth: int = 0) -> str:
    """Write a mapping a line a key; lists and bare values beside their key."""
    lines = []
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            lines.append(f"{'  ' * depth}{key}:\n{_yaml(item, depth + 1)}")
        else:
            # As the one item of a list, a bare value needs no end mark of a document.
            text = yaml.safe_dump([item], default_flow_style=True, allow_unicode=True, width=10_000)[1:-2]
            lines.append(f"{'  ' * depth}{key}: {text}\n")
    return "".join(lines)
