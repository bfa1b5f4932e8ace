"""Modules that are built into this machine's kernel: its hosts are told, for they have none of their own."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from pathlib import Path

# What nodes of a cluster ask for, by the option of the kernel's configuration that builds it.
_MODULES = {
    "fs/overlayfs/overlay": "OVERLAY_FS",
    "net/bridge/bridge": "BRIDGE",
    "net/bridge/br_netfilter": "BRIDGE_NETFILTER",
    "drivers/net/vxlan/vxlan": "VXLAN",
    "drivers/net/veth": "VETH",
    "drivers/net/tun": "TUN",
    "drivers/net/wireguard/wireguard": "WIREGUARD",
    "net/netfilter/nf_conntrack": "NF_CONNTRACK",
    "net/netfilter/nf_nat": "NF_NAT",
    "net/netfilter/nf_tables": "NF_TABLES",
    "net/netfilter/nft_ct": "NFT_CT",
    "net/netfilter/nft_masq": "NFT_MASQ",
    "net/netfilter/nft_nat": "NFT_NAT",
    "net/netfilter/nft_fib": "NFT_FIB",
    "net/netfilter/nft_numgen": "NFT_NUMGEN",
    "net/netfilter/x_tables": "NETFILTER_XTABLES",
    "net/netfilter/xt_conntrack": "NETFILTER_XT_MATCH_CONNTRACK",
    "net/netfilter/xt_statistic": "NETFILTER_XT_MATCH_STATISTIC",
    "net/ipv4/netfilter/ip_tables": "IP_NF_IPTABLES",
    "net/ipv6/netfilter/ip6_tables": "IP6_NF_IPTABLES",
    "net/netfilter/ipset/ip_set": "IP_SET",
    "net/netfilter/ipvs/ip_vs": "IP_VS",
    "net/netfilter/ipvs/ip_vs_rr": "IP_VS_RR",
}


def built_in() -> str:
    """
    Return a `modules.builtin` for the running kernel, of what nodes ask for; empty where its configuration is not to be
    had.
    """
    return listing(_configuration().splitlines())


def listing(configuration: Iterable[str]) -> str:
    """Return the lines of `modules.builtin` for what is on in a kernel's configuration."""
    on = {line.removeprefix("CONFIG_").removesuffix("=y") for line in configuration if line.endswith("=y")}
    return "".join(f"kernel/{module}.ko\n" for module, option in _MODULES.items() if option in on)


def folder() -> str:
    """Return the path, in a root, of the running kernel's modules."""
    return f"usr/lib/modules/{os.uname().release}"


def _configuration() -> str:
    packed, plain = Path("/proc/config.gz"), Path(f"/boot/config-{os.uname().release}")
    if packed.exists():
        return gzip.decompress(packed.read_bytes()).decode()
    return plain.read_text("utf-8") if plain.exists() else ""
