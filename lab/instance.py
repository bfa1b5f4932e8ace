"""Where one lab keeps its things, and what they are called on this machine."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

VARIABLE = "MATRIX_FLEET_LAB"
STATE = Path("/var/lib/matrix-fleet")
CACHE = Path("/var/cache/matrix-fleet")
RUN = Path("/run/matrix-fleet")
NAMESPACES = Path("/run/netns")
# What Kubernetes is installed from, in every lab of this machine; whoever builds a bundle lets this link point to it.
BUNDLE = CACHE / "bundles" / "current"


@dataclass(frozen=True, slots=True)
class Instance:
    """One lab of this machine; every name it takes on the machine begins with `prefix`."""

    name: str

    @property
    def prefix(self) -> str:
        """Name of the lab's own network namespace, and beginning of every host's."""
        return f"mf-{self.name}"

    @property
    def home(self) -> Path:
        """Folder of everything that lives as long as the lab."""
        return STATE / self.name

    @property
    def inventory(self) -> Path:
        """Folder of the emitted site; outlives the lab."""
        return self.home / "inventory"

    @property
    def keys(self) -> Path:
        """Folder of the deployer's key and the hosts' keys; as old as the inventory, since that refers to them."""
        return self.home / "keys"

    @property
    def key(self) -> Path:
        """Private key of the deployer."""
        return self.keys / "deploy"

    @property
    def hosts(self) -> Path:
        """Folder of the hosts' disks and consoles."""
        return self.home / "hosts"

    @property
    def faults(self) -> Path:
        """Folder of what was broken on purpose."""
        return self.home / "faults"

    @property
    def run(self) -> Path:
        """Folder of sockets and locks; gone after a reboot of the machine."""
        return RUN / self.name

    def namespace(self, host: str = "") -> str:
        """Return the name of a host's network namespace, or of the lab's own."""
        return f"{self.prefix}-{host}" if host else self.prefix

    def namespace_path(self, host: str = "") -> Path:
        """Return the file that stands for the namespace."""
        return NAMESPACES / self.namespace(host)


def selected() -> Instance:
    """
    Return the lab that the environment selects.

    Raises LabError when the name would not fit into names of interfaces and namespaces.
    """
    name = os.environ.get(VARIABLE, "lab")
    if not re.fullmatch(r"[a-z][a-z0-9]{0,3}", name):
        raise LabError(f"{VARIABLE}={name!r}: one to four of a-z and 0-9, a letter first")
    return Instance(name)
