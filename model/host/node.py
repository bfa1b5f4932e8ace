"""How far a host has come on its way into the cluster, by its own account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Progress = Literal["fresh", "foreign", "running", "broken", "member"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """
    What a host says of itself.

    `mark` is the line that our own steps leave (`started join`, `done init`; empty: none), `running` whether such a
    step is under way, `kubelet` whether a kubeconfig of kubelet's is there, `plane` whether the host carries the API
    server's manifest and keys, `suite` Debian's code name, `interfaces` the name of the interface that carries an
    address, by address, `authority` the digest of the certificate of the cluster's authority, by which a cluster is
    known (empty: none).
    """

    mark: str
    running: bool
    kubelet: bool
    plane: bool
    suite: str = ""
    interfaces: Mapping[str, str] = field(default_factory=dict)
    authority: str = ""

    @property
    def progress(self) -> Progress:
        """
        Return what that means.

        `foreign`: a cluster's remains that no step of ours left; `broken`: a step of ours began and ended without
        success.
        """
        if self.running:
            return "running"
        if self.mark.startswith("done"):
            return "member" if self.kubelet else "broken"
        if self.mark.startswith("started"):
            return "broken"
        return "foreign" if self.kubelet or self.plane else "fresh"
