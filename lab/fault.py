"""What is one fault?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing broken on purpose. `ports` is one number or `lo-hi`; protocol and ports are empty where the kind has none."""

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
