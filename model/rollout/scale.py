"""Which figures of a component fit the number of the site's users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from model.site.site import Site
from model.site.sizing import step

T = TypeVar("T")


def scaled(site: Site, table: Mapping[int, T]) -> T:
    """
    Return the entry for the site's users: that of the largest key they reach; key 0 is a small site.

    `table` has a key 0.
    """
    return table[max(key for key in table if key <= users(site))]


def users(site: Site) -> int:
    """Return the step of the sizing that the site's users are on; 0 for a small site."""
    return 0 if site.settings.size == "small" else step(site.settings.concurrent_users)
