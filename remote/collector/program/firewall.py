"""Which rules has the host, in ufw's files and in the kernel?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remote.collector.program.ask import installed, matching, output, text, word

Wishes = dict[str, Any]
_FILES = (
    "/etc/ufw/user.rules",
    "/etc/ufw/user6.rules",
    "/etc/default/ufw",
    "/etc/ufw/ufw.conf",
    "/etc/ufw/before.rules",
    "/etc/ufw/before6.rules",
    "/etc/ufw/after.rules",
    "/etc/ufw/after6.rules",
)


def ufw(_wishes: Wishes) -> Any:
    """Return ufw's files that exist, and whether it starts at boot."""
    files = {path: text(path) for path in _FILES}
    return {
        "installed": Path("/usr/sbin/ufw").exists(),
        "files": {path: said for path, said in files.items() if said is not None},
        "enabled": any(path.is_symlink() for path in matching("/etc/systemd/system", "*.wants/ufw.service")),
        "ipv6": Path("/proc/net/if_inet6").exists(),
    }


def rules(_wishes: Wishes) -> Any:
    """Return the kernel's rules of both families and both kinds of iptables, and nftables' own."""
    saved = {"4": output("iptables-save"), "6": ""} if installed("iptables-save") else {"4": "", "6": ""}
    if saved["4"] and Path("/proc/net/if_inet6").exists():
        saved["6"] = output("ip6tables-save")
    # Asking the older iptables loads its modules, so only where it is in use.
    legacy = {
        family: output(program) if word(names) and installed(program) else ""
        for family, names, program in (
            ("4", "/proc/net/ip_tables_names", "iptables-legacy-save"),
            ("6", "/proc/net/ip6_tables_names", "ip6tables-legacy-save"),
        )
    }
    return {"saved": saved, "legacy": legacy, "nft": output("nft", "-j", "list", "ruleset") if installed("nft") else ""}
