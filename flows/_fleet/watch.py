"""Who is told how far the hosts of one step are."""

from __future__ import annotations

from typing import Protocol


class Watch(Protocol):
    """Told of each host by `run_on_hosts`: `begun` and `ended` in any thread, `answered` in the caller's."""

    def begun(self, host: str) -> None:
        """A host's turn has come; not told of hosts that are asked in other processes."""

    def ended(self, host: str, answer: object) -> None:
        """What came of a host: the task's result or a `HostFailure`; may be told twice, the first counts."""

    def answered(self, host: str) -> None:
        """A host is no longer waited for."""
