"""Where is the cluster's own name server, before anybody has asked?"""

from __future__ import annotations

from model.base import Address
from model.site import Site

NAME = "kubernetes.default.svc.cluster.local"
# kubeadm gives it the tenth address of the first range of Services.
_TENTH = 10


def address(site: Site) -> Address:
    """Return the address of its Service."""
    return site.settings.kubernetes.service_cidrs[0][_TENTH]
