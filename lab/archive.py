"""The Debian archive that this machine's apt is configured with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.commands import call
from lab.errors import LabError

_FORMAT = "$(REPO_URI)\t$(ORIGIN)\t$(CODENAME)\t$(LABEL)"


@dataclass(frozen=True, slots=True)
class MachineArchive:
    """The mirror, and what a program that is not apt must know to reach it as apt does."""

    mirror: str
    environment: dict[str, str]


def configured() -> MachineArchive:
    """
    Read apt's own configuration.

    Raises LabError when apt knows no Debian archive (its lists may never have been fetched).
    """
    targets = parse(call(("apt-get", "indextargets", "--format", _FORMAT, "Created-By: Packages")))
    if not targets:
        raise LabError("apt on this machine has fetched no list of a Debian archive: run `apt-get update`")
    proxies = {
        f"{scheme}_proxy": proxy
        for scheme in ("http", "https")
        if (proxy := _option(f"Acquire::{scheme}::Proxy")) and proxy != "DIRECT"
    }
    return MachineArchive(targets[0], proxies)


def parse(targets: str) -> tuple[str, ...]:
    """Return the addresses of Debian's main archive among apt's index targets, each once, in apt's order."""
    rows = [line.split("\t") for line in targets.splitlines()]
    return tuple(dict.fromkeys(row[0] for row in rows if len(row) == 4 and row[1] == "Debian" and row[3] == "Debian"))


def _option(name: str) -> str:
    line = call(("apt-config", "shell", "value", name)).strip()
    return line.removeprefix("value='").removesuffix("'") if line else ""


def apt_settings() -> tuple[Path, ...]:
    """Return apt's own settings files of this machine that decide how an archive is reached and checked."""
    return tuple(sorted(Path("/etc/apt/apt.conf.d").glob("*")))
