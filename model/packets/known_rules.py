"""
Chains that a cluster's own programs and container runtimes keep, by the beginning of their names, and tables by names.

A chain's name alone excuses nothing: `publishing` says what such a chain may do.
"""

from __future__ import annotations

import re

ORCHESTRATORS = ("KUBE-", "cali-", "FLANNEL-", "CILIUM_", "DOCKER", "CNI-")
# Chains that lead published ports to containers.
PUBLISHING_CHAINS = (*ORCHESTRATORS, "NETAVARK")
# The port verification judges what these tables do by its own means: the lists of Services, and packets.
_OF_A_CLUSTER = re.compile(r"kube-proxy|flannel-ipv[46]|calico|matrix_fleet")
_PUBLISHING = re.compile(r"cni_hostport|docker-bridges|netavark|io\.systemd\.nat")
# Chains of the host's own firewall.
FIREWALL_CHAINS = ("ufw-", "ufw6-")


def of_a_cluster(table: str) -> bool:
    """Return whether a table of nftables is one of the cluster's own programs, or of this one."""
    return bool(_OF_A_CLUSTER.fullmatch(table))


def publishes(table: str) -> bool:
    """Return whether a table of nftables leads published ports to containers, or is one of the cluster's."""
    return of_a_cluster(table) or bool(_PUBLISHING.fullmatch(table))
