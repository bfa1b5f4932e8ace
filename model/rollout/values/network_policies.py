"""Values of the network policies: the policies themselves."""

from __future__ import annotations

from collections.abc import Mapping

from model.rollout.policies import network_policies, refuse_unknown_words
from model.site.site import Site


def values(site: Site) -> Mapping[str, object]:
    """Return the policies of the site's namespaces; raises `SiteError` where a row names pods that nobody has."""
    refuse_unknown_words(site)
    return {"policies": network_policies(site)}
