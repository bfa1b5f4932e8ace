"""One fault."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    One thing broken on purpose. `ports` is one number or `lo-hi`; protocol and ports are empty where the kind has none.
    """

    id: str
    kind: str
    at: str
    source: str
    protocol: str
    ports: str

    @property
    def mark(self) -> str:
        """The comment that its rules carry."""
        return f"lab-fault-{self.id}"

    def __str__(self) -> str:
        peer = f" --from {self.source}" if self.source else ""
        port = f" --port {self.ports}/{self.protocol}" if self.ports else ""
        return f"{self.kind} at {self.at}{peer}{port}"
