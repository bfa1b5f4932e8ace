"""The hosts that a selection such as `database,!db-3,w-*` names."""

from __future__ import annotations

from fnmatch import fnmatchcase

from model.errors import SelectionError, did_you_mean
from model.site.hosts import Machine
from model.site.site import Site


def select(site: Site, expression: str | None) -> tuple[str, ...]:
    """
    Return the names of the selected hosts in the inventory's order; all when `expression` is None.

    A comma list of hosts, roles and globs; a leading `!` takes away; an expression that only takes away starts from
    all. Raises `SelectionError` for a word that matches nothing and for a selection that names nobody.
    """
    if expression is None:
        chosen = set(site.by_name)
    else:
        words = [word.strip() for word in expression.split(",") if word.strip()]
        if not words:
            raise SelectionError("the selection is empty; name hosts, roles or globs, such as `database,w-*,!w-3`")
        wanted = [word for word in words if not word.startswith("!")]
        chosen = set().union(*(_matches(site, word) for word in wanted)) if wanted else set(site.by_name)
        for word in words:
            if word.startswith("!"):
                chosen -= _matches(site, word[1:])
    if not chosen:
        raise SelectionError(f"`{expression}` selects nobody of {len(site.machines)} hosts")
    return tuple(machine.name for machine in site.machines if machine.name in chosen)


def _matches(site: Site, word: str) -> set[str]:
    names = {machine.name for machine in site.machines if _is(machine, word)}
    if not names:
        near = did_you_mean(word, (*site.by_name, *site.roles))
        known = f"hosts: {', '.join(site.by_name)}; roles: {', '.join(site.roles)}"
        raise SelectionError(f"`{word}` names no host and no role{near}; {known}")
    return names


def _is(machine: Machine, word: str) -> bool:
    return fnmatchcase(machine.name, word) or word in machine.roles
