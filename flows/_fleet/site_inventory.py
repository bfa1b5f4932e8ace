"""A site's hosts.yaml, groups.yaml and defaults.yaml as Nornir's inventory, read as everything else of the site is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from nornir.core.inventory import ConnectionOptions, Defaults, Group, Groups, Host, Hosts, Inventory, ParentGroups

from model import document

PLUGIN = "matrix-fleet"
_OWN = ("hostname", "port", "username", "password", "platform", "data")
Entry = Mapping[str, Any]
Named = TypeVar("Named", Host, Group)


class SiteInventory:
    """
    Nornir's SimpleInventory, by this project's reader of YAML.

    Nornir's own would read `0100` as the name of another host than the site has.
    """

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)

    def load(self) -> Inventory:
        """Return hosts, groups and defaults; raises `document.DocumentError`, and what Nornir's own raises."""
        defaults = _defaults(self._read("defaults.yaml"))
        entries = {"hosts": self._read("hosts.yaml", needed=True), "groups": self._read("groups.yaml")}
        hosts = Hosts({name: _element(Host, name, entry, defaults) for name, entry in entries["hosts"].items()})
        groups = Groups({name: _element(Group, name, entry, defaults) for name, entry in entries["groups"].items()})
        for kind, elements in (("hosts", hosts), ("groups", groups)):
            for name, element in elements.items():
                element.groups = ParentGroups([groups[group] for group in entries[kind][name].get("groups") or ()])
        return Inventory(hosts=hosts, groups=groups, defaults=defaults)

    def _read(self, name: str, *, needed: bool = False) -> Entry:
        path = self._directory / name
        if not (needed or path.exists()):
            return {}
        # Plain texts: some words of a document remember how they were written.
        read: Entry = json.loads(json.dumps(document.read(path))) or {}
        return read


def _element(kind: type[Named], name: str, entry: Entry, defaults: Defaults) -> Named:
    own = {key: entry.get(key) for key in _OWN}
    return kind(name=name, defaults=defaults, connection_options=_connections(entry), **own)


def _defaults(entry: Entry) -> Defaults:
    return Defaults(**{key: entry.get(key) for key in _OWN}, connection_options=_connections(entry))


def _connections(entry: Entry) -> dict[str, ConnectionOptions]:
    known = (*_OWN[:-1], "extras")
    options = entry.get("connection_options") or {}
    return {name: ConnectionOptions(**{key: option.get(key) for key in known}) for name, option in options.items()}
