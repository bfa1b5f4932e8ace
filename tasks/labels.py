"""Give every node the labels and taints of its roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.labels import plan
from model.site import Site
from remote.facts.cluster import observe_nodes
from tasks.objects import enforce_nodes

if TYPE_CHECKING:
    from remote.kube import Cluster


def enforce(cluster: Cluster, site: Site, *, dry_run: bool) -> tuple[str, ...]:
    """
    Bring labels and taints to what the site says and return what changed, or would; others' are left alone.
    """
    return enforce_nodes(cluster, lambda asked: plan(site, observe_nodes(asked)), dry_run=dry_run)
