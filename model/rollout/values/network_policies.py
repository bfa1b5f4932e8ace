"""Values of the network policies: the policies themselves."""

from __future__ import annotations

from collections.abc import Mapping

from model.rollout.policies import network_policies
from model.site.site import Site


def values(site: Site) -> Mapping[str, object]:
    """Return the policies of the site's namespaces."""
    return {"policies": network_policies(site)}
