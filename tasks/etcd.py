"""Change who belongs to etcd."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from remote.facts.etcd import ETCDCTL, Member, members

if TYPE_CHECKING:
    from nornir.core.inventory import Host


def forget(host: Host, name: str, addresses: Collection[str]) -> tuple[Member, ...]:
    """
    Let the member on `host` remove every member of this name or at one of these peer addresses; return those removed.

    A join that broke off leaves one behind, which counts for quorum or keeps the next one from joining.
    """
    from remote.shell import run

    left = tuple(member for member in members(host) if member.name == name or member.address in addresses)
    for member in left:
        run(host, (*ETCDCTL, "member", "remove", f"{member.id:x}"), root=True).check(host)
    return left
