"""A change of one node's labels, annotations and taints that leaves everything of others alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.kubernetes.cluster import Node, Taint


@dataclass(frozen=True, slots=True)
class NodePatch:
    """A merge patch for a node; `lines` say it to a person."""

    name: str
    body: Mapping[str, Any]
    lines: tuple[str, ...]


def patch(
    node: Node,
    *,
    labels: Mapping[str, str | None] | None = None,
    annotations: Mapping[str, str | None] | None = None,
    taints: tuple[Taint, ...] | None = None,
) -> NodePatch | None:
    """
    Return what brings labels and annotations to these values (None: gone) and the taints to these; None where all is
    so.

    Taints can only be replaced as a whole, so such a patch holds for this revision of the node alone.
    """
    meta: dict[str, Any] = {}
    lines: list[str] = []
    for word, wanted, seen in (("label", labels, node.labels), ("annotation", annotations, node.annotations)):
        changed = {key: value for key, value in (wanted or {}).items() if seen.get(key) != value}
        if changed:
            meta[f"{word}s"] = changed
            lines += [_line(node.name, word, key, value) for key, value in sorted(changed.items())]
    body: dict[str, Any] = {"metadata": meta} if meta else {}
    if taints is not None and set(taints) != set(node.taints):
        body.setdefault("metadata", {})["resourceVersion"] = node.revision
        body["spec"] = {"taints": [_written(taint) for taint in taints] or None}
        lines += [f"- {node.name}: taint {taint}" for taint in sorted(set(node.taints) - set(taints))]
        lines += [f"+ {node.name}: taint {taint}" for taint in sorted(set(taints) - set(node.taints))]
    return NodePatch(node.name, body, tuple(lines)) if body else None


def _line(name: str, word: str, key: str, value: str | None) -> str:
    return f"- {name}: {word} {key}" if value is None else f"+ {name}: {word} {key}={value}"


def _written(taint: Taint) -> dict[str, str]:
    return {"key": taint.key, "effect": taint.effect} | ({"value": taint.value} if taint.value else {})
