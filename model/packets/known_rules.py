"""Chains and tables that a cluster's own programs and container runtimes keep, by the beginning of their names."""

from __future__ import annotations

# The port verification judges what they do by its own means: the lists of Services, and packets.
ORCHESTRATORS = ("KUBE-", "cali-", "FLANNEL-", "CILIUM_", "DOCKER", "CNI-")
# Tables of the cluster's own programs and of this one.
OF_A_CLUSTER = ("kube-proxy", "flannel", "calico", "cilium", "matrix_fleet")
# Chains and tables that lead published ports to containers.
PUBLISHING_CHAINS = (*ORCHESTRATORS, "NETAVARK")
PUBLISHING_TABLES = (*OF_A_CLUSTER, "cni_hostport", "docker-bridges", "netavark", "io.systemd.nat")
