"""
Print the names of Synapse's settings, and of those within them, as JSON; of their publisher's words nothing else.

`python3 setting_dump.py VERSION SCHEMA [MANUAL]`. SCHEMA is schema/synapse-config.schema.yaml of Synapse's sources.
Where only another version's is at hand, MANUAL is docs/usage/configuration/config_documentation.md of VERSION itself,
which is made from its schema and lies in every source archive: then the manual says which settings there are, and the
schema where names are anybody's choice.

A tree is null where anything may stand, or an object by key; `*` is any key; a list is held to what its entries are.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

Tree = dict[str, Any] | None
# What Synapse reads and documents nowhere.
UNDOCUMENTED: Mapping[str, Tree] = {
    "experimental_features": None,
    "stream_writers": {"thread_subscriptions": None, "quarantined_media_changes": None},
}
# What these hold is for somebody else to read: a module, or whoever is shown a token. Schema and manual name examples.
_OTHERS = frozenset({"config", "jwt_header"})
_HEADING = re.compile(r"### `(\w+)`")
_ITEM = re.compile(r"( *)\* `(\w+)`")
_LISTED = re.compile(r"( *)(This setting has the following sub-options|Options for each entry include):$")


def main() -> None:
    """Print the tree of a version."""
    version, schema, *manual = sys.argv[1:]
    document = yaml.safe_load(Path(schema).read_text("utf-8"))
    tree = of_schema(document, document.get("$defs", {})) or {}
    if manual:
        tree = narrowed(of_manual(Path(manual[0]).read_text("utf-8")), tree) or {}
    tree = united(tree, dict(UNDOCUMENTED)) or {}
    rows = ",\n".join(f"{json.dumps(key)}: {json.dumps(tree[key], sort_keys=True)}" for key in sorted(tree))
    print(f'{{"version": {json.dumps(version)}, "schema": {json.dumps(document["$id"])}, "settings": {{\n{rows}\n}}}}')


def of_schema(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Tree:
    """Return what a schema lets stand in a place: properties that it lists, and others where it speaks of any."""
    if "$ref" in node:
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return united(of_schema(defs[node["$ref"].rpartition("/")[2]], defs), of_schema(rest, defs))
    listed = node.get("properties", {})
    keys = {key: None if key in _OTHERS else of_schema(inner, defs) for key, inner in listed.items()}
    tree: Tree = keys or None
    if isinstance(node.get("additionalProperties"), Mapping):
        tree = {**keys, "*": of_schema(node["additionalProperties"], defs)}
    elif node.get("additionalProperties"):
        return None
    for inner in (*filter(None, (node.get("items"),)), *node.get("oneOf", ())):
        tree = united(tree, of_schema(inner, defs))
    return tree


def united(these: Tree, those: Tree) -> Tree:
    """Return what stands in either; a value that has no keys says nothing of those of the other."""
    if these is None or those is None:
        return these if those is None else those
    return {key: united(these.get(key), those.get(key)) for key in these.keys() | those.keys()}


def of_manual(text: str) -> dict[str, Tree]:
    """Return the settings of a manual: a heading each, and below it lists of what is within, deeper by their indent."""
    found: dict[str, Tree] = {}
    # The lists that are open: their indent and what they belong to; and the last key at each indent.
    lists: dict[int, dict[str, Any]] = {}
    owners: list[tuple[int, dict[str, Any], str]] = []
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            found[heading[1]] = None
            lists, owners = {}, [(-1, found, heading[1])]
        elif listed := _LISTED.fullmatch(line):
            indent = len(listed[1])
            owners = [owner for owner in owners if owner[0] < indent]
            _, holder, key = owners[-1]
            lists = {place: tree for place, tree in lists.items() if place < indent}
            lists[indent] = holder[key] = holder[key] or {}
        elif (item := _ITEM.match(line)) and len(item[1]) in lists:
            indent = len(item[1])
            owners = [owner for owner in owners if owner[0] < indent]
            lists = {place: tree for place, tree in lists.items() if place <= indent}
            lists[indent][item[2]] = None
            owners.append((indent, lists[indent], item[2]))
    return found


def narrowed(named: Tree, known: Tree) -> Tree:
    """Return the names of a manual with what only a schema says: where they are free, and what is a module's own."""
    if named is None or known is None:
        return named if known is None else known
    free = {"*": known["*"]} if "*" in known else {}
    return free | {key: None if key in _OTHERS else narrowed(tree, known.get(key)) for key, tree in named.items()}


if __name__ == "__main__":
    main()
