"""What images hold beside programs and libraries."""

from __future__ import annotations

from pathlib import Path

from lab.bundle import oci
from lab.bundle.ingredients import ImageRecipe

_ACCOUNTS = "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
_GROUPS = "root:x:0:\nnobody:x:65534:\n"
_NAMES = "hosts: files dns\nprotocols: files\n"
# kube-proxy takes what nft lists for its own only where protocols have their names.
_PROTOCOLS = "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6 41 IPv6\nipv6-icmp 58 IPv6-ICMP\nsctp 132 SCTP\n"
_LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}


def base(certificates: Path) -> tuple[oci.LayerEntry, ...]:
    """Return the lowest layer: certificates, accounts, names, and the links that every Debian has."""
    texts = {
        "etc/passwd": _ACCOUNTS,
        "etc/group": _GROUPS,
        "etc/nsswitch.conf": _NAMES,
        "etc/protocols": _PROTOCOLS,
    }
    return (
        *oci.tree(certificates),
        *(oci.LayerEntry(path, text=text, mode=0o644) for path, text in texts.items()),
        *(oci.LayerEntry(path, target=target) for path, target in _LINKS.items()),
        *(oci.LayerEntry(path) for path in (*_LINKS.values(), "run")),
        oci.LayerEntry("tmp", mode=0o1777),
    )


def own(image: ImageRecipe) -> tuple[oci.LayerEntry, ...]:
    """Return links, folders and accounts that only this image has."""
    accounts = image.accounts
    users = "".join(
        f"{account.name}:x:{account.uid}:{account.gid}:{account.name}:{account.home}:/sbin/nologin\n"
        for account in accounts
    )
    groups = "".join(f"{account.name}:x:{account.gid}:\n" for account in accounts)
    texts = {"etc/passwd": _ACCOUNTS + users, "etc/group": _GROUPS + groups} if accounts else {}
    return (
        *(oci.LayerEntry(path, text=text, mode=0o644) for path, text in texts.items()),
        *(oci.LayerEntry(path, target=target) for path, target in image.links.items()),
        *(oci.LayerEntry(item.path, mode=item.mode, owner=(item.uid, item.gid)) for item in image.folders),
    )
