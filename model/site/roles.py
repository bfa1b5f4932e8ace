"""The roles that a new site is asked servers for, and what a role is for whose `groups.yaml` does not say it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from model import document
from model.base import Declared, Name, RoleName
from model.site.hosts import Purpose, Traits

FILE = Path(__file__).with_name("roles.yaml")
# A role of this purpose is asked for, and needed, where one of these features is on; every other one always.
WANTED_BY: Mapping[Purpose, tuple[str, ...]] = {
    "calls": ("turn", "livekit"),
    "interception": ("li",),
    "observation": ("monitoring",),
}


class KnownRole(Declared):
    """What the role's servers are for, and how their names begin."""

    purpose: Purpose
    prefix: Name


@cache
def known() -> Mapping[str, KnownRole]:
    """Return the known roles by name, in the order in which a person is asked for them."""
    return TypeAdapter(dict[RoleName, KnownRole]).validate_python(document.read(FILE))


def resolved(role: str, traits: Traits) -> Traits:
    """Return the role's traits with its purpose: its own, or that of the known role of its name."""
    usual = known().get(role)
    if traits.purpose is not None or traits.kind != "server" or usual is None:
        return traits
    return traits.model_copy(update={"purpose": usual.purpose})
