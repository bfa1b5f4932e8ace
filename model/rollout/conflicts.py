"""Fields of an object that another manager holds: who, which, and what is left of a manifest without them."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model.errors import ApiCause
from model.kubernetes.manifests import Manifest

# Programs of the cluster that own what they write for good: the number of replicas, a webhook's authority.
CONTROLLERS = frozenset(
    {"kube-controller-manager", "horizontal-pod-autoscaler", "cert-manager-cainjector", "cainjector", "vpa-updater"}
)
_MANAGER = re.compile(r'conflict with "([^"]+)"')
_SELECTOR = re.compile(r"\[([^\]]*)\]")


@dataclass(frozen=True, slots=True, order=True)
class FieldConflict:
    """A field that we say something of, and the manager that holds it."""

    manager: str
    field: str

    @property
    def by_controller(self) -> bool:
        """Whether a controller writes it, which would do so again."""
        return self.manager in CONTROLLERS


def conflicts_of(causes: Iterable[ApiCause]) -> tuple[FieldConflict, ...]:
    """Return the conflicts that the API names."""
    found = []
    for cause in causes:
        manager = _MANAGER.search(cause.message)
        if cause.reason == "FieldManagerConflict" and manager:
            found.append(FieldConflict(manager[1], cause.field))
    return tuple(sorted(set(found)))


def without(manifest: Manifest, fields: Iterable[str]) -> Manifest:
    """Return a manifest that says nothing of these fields, as the API writes them (`.spec.replicas`)."""
    rest = copy.deepcopy(manifest)
    for field in fields:
        _drop(rest, field)
    return rest


def _drop(value: Any, path: str) -> None:
    if isinstance(value, dict):
        # Keys of labels hold dots themselves: the longest that fits is meant.
        at = path.removeprefix(".")
        fitting = [key for key in value if at == key or at.startswith((f"{key}.", f"{key}["))]
        if fitting:
            key = max(fitting, key=len)
            if at == key:
                del value[key]
            else:
                _drop(value[key], at[len(key) :])
    elif isinstance(value, list) and (selector := _SELECTOR.match(path)):
        rest = path[selector.end() :]
        for item in list(_selected(value, selector[1])):
            if rest:
                _drop(item, rest)
            else:
                value.remove(item)


def _selected(items: list[Any], selector: str) -> Iterator[Any]:
    wanted = dict(part.partition("=")[::2] for part in selector.split(",") if part)
    for number, item in enumerate(items):
        if isinstance(item, Mapping):
            if wanted and all(str(item.get(key)) == value.strip('"') for key, value in wanted.items()):
                yield item
        elif selector in (str(number), f'="{item}"', f'"{item}"'):
            yield item
