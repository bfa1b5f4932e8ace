"""The five files of a site, written from an organisation's answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from model import document
from model.site.answers import Answers
from model.site.declaration import hosts_of, settings_of
from model.site.hosts import GroupEntry, Traits
from model.site.mistakes import validated
from model.site.roles import resolved

_COMMENTS = {
    "name": "The site's name, as reports carry it.",
    "domain": "Names derive from it: matrix., chat., turn. and api. of this domain.",
    "concurrent_users": "Users at the same time; the sizing follows. `size: small` asks for less.",
    "size": "`small`: judged by a low floor; five servers are recommended for up to 100 users (docs/sizing.md).",
    "federation": "Other homeservers: opens 8448 to the ingress.",
    "egress": "`closed`: the way to the internet is proven closed after installation; without this line it is `open`.",
    "organisation_contact": "Who answers questions.",
    "networks": "The organisation's networks. Hosts of an isolated one are reached only by rows of ports.yaml that name"
    " them.",
    "management": "Deployers use SSH from here, and from nowhere else.",
    "admins": "Administrators' browsers: dashboards and consoles.",
    "external": "Addresses the internet sees, and the hosts the perimeter translates them to.",
    "dns": "Name servers of the main view and of the isolated one.",
    "ntp": "Time servers.",
    "tls": "Where certificates come from. HTTP-01 cannot reach names that only LI resolves.",
    "cni": "The pod network: calico, cilium or flannel; mode vxlan or (calico) bgp.",
    "kubernetes": "The API endpoint is an address the control planes hold together (keepalived), or the organisation's"
    " balancer.",
    "servers": "How every server's system is set up: proxy, mirror, time, trusted certificates; `administrators` may"
    " become root.",
    "features": "What is off is closed, and proven closed.",
    "li": "How lawful intercept is reached, and by whom.",
    "perimeter": "The organisation's firewall; `device` may name a host of hosts.yaml whose rules are read as"
    " evidence.",
    "waivers": "Findings somebody answers for: {id, host, reason, owner, expires}; without `host` it is for every one.",
}
_HOSTS = """\
# How the controller reaches each host (hostname, port), which roles it has, and its addresses by network.
# A host outside the perimeter with the role `vantage`, in a network of its own, proves what the internet sees.
"""
_SSH_ROW = re.compile(r"(\{name: ssh(?:-li)?, .*?ports: )\[22\]")
_DEFAULTS = "# Nornir's defaults for every host. Passwords have no place here: they are asked for.\n"


def compose(answers: Answers, groups: str, ports: str) -> Mapping[str, str]:
    """Return the texts of the five files by name; `groups` and `ports` are the texts of the reference site's."""
    roles = _roles(groups)
    hosts = hosts_of(answers, roles)
    defaults = {"username": answers.ssh_user, "platform": "linux", "data": {}}
    return {
        "site.yaml": _site(settings_of(answers, hosts, roles)),
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


def _roles(groups: str) -> Mapping[str, Traits]:
    """Return what the roles of a groups.yaml are."""
    entries = validated(TypeAdapter(dict[str, GroupEntry]), document.parse(groups))
    return {name: resolved(name, entry.data) for name, entry in entries.items()}


def _yaml(value: Mapping[str, Any], depth: int = 0) -> str:
    """Write a mapping a line a key; lists and bare values beside their key."""
    lines = []
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            lines.append(f"{'  ' * depth}{key}:\n{_yaml(item, depth + 1)}")
        else:
            # As the one item of a list, a bare value needs no end mark of a document.
            text = document.dump([item], default_flow_style=True, allow_unicode=True, width=10_000)[1:-2]
            lines.append(f"{'  ' * depth}{key}: {text}\n")
    return "".join(lines)
