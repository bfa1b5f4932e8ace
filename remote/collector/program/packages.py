"""Which packages has the host, and which newer ones do its own lists of security updates offer?"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from remote.collector.program.ask import matching, output, text

Wishes = dict[str, Any]
_LISTS = "/var/lib/apt/lists"
_SECRET = re.compile(r"//[^/@\s]*@")
_STANZA = re.compile(r"^Package: (\S+)$(?:.*?)^Version: (\S+)$", re.MULTILINE | re.DOTALL)
_PACKED = (".lz4", ".xz", ".gz", ".bz2", ".zst")
_UNPACK = "/usr/lib/apt/apt-helper"


def packages(_wishes: Wishes) -> Any:
    """Return dpkg's list: state, name, version a line."""
    return output("dpkg-query", "-W", "-f", "${db:Status-Abbrev}|${Package}|${Version}\\n")


def updates(_wishes: Wishes) -> Any:
    """Return what the security archives' lists offer of what is installed, how old the lists are, and the archives named."""
    lists = _security_lists()
    offered: dict[str, list[str]] = {}
    installed = _installed() if lists else {}
    for path in lists:
        for name, version in _offers(path):
            if name in installed and installed[name] != version:
                offered.setdefault(name, []).append(version)
    ages = [time.time() - path.stat().st_mtime for path in lists]
    return {
        "lists": [path.name for path in lists],
        "age_seconds": min(ages, default=None),
        "offered": offered,
        "archives": _archives(),
    }


def _installed() -> dict[str, str]:
    lines = (line.split("|") for line in packages({}).splitlines() if line)
    return {name: version for state, name, version in lines if state[1:2] == "i"}


def _security_lists() -> list[Path]:
    """Lists of archives that call themselves Debian's security archive, or whose suite does."""
    found = []
    for release in [*matching(_LISTS, "*_InRelease"), *matching(_LISTS, "*_Release")]:
        head = (text(release) or "")[:4000]
        if re.search(r"^(Label: .*Security|Suite: .*-security|Codename: .*-security)\s*$", head, re.MULTILINE):
            prefix = release.name.rsplit("_", 1)[0]
            found += [path for path in matching(_LISTS, f"{prefix}_*_Packages*") if path not in found]
    return found


def _offers(path: Path) -> list[tuple[str, str]]:
    said = output(_UNPACK, "cat-file", str(path)) if path.suffix in _PACKED else path.read_text("utf-8", "replace")
    return [(found[1], found[2]) for part in said.split("\n\n") if (found := _STANZA.search(part))]


def _archives() -> list[str]:
    """A mirror's address may carry a password."""
    files: list[str | Path] = ["/etc/apt/sources.list", *matching("/etc/apt/sources.list.d", "*.list")]
    files += matching("/etc/apt/sources.list.d", "*.sources")
    lines = (line.strip() for file in files for line in (text(file) or "").splitlines())
    return [_SECRET.sub("//", line) for line in lines if line.startswith(("deb ", "URIs:", "Suites:"))]
