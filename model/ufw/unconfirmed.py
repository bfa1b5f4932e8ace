"""A change of a host's firewall that nobody has confirmed: it is taken back, so nothing proven of it lasts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

# A rollback of this project is not put off for longer; its timer's own setting says so.
ROLLBACK_SECONDS = 20.0
# It runs for as long as a change waits, and for no longer.
TIMER = "matrix-fleet-rollback.timer"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnconfirmedChange:
    """
    `armed` while a rollback waits, `fired` while one is under way or could not be finished.

    `since` is in seconds since the epoch, `fires_in` the seconds until it is carried out, None where no timer runs or
    nobody told; `holder` is the run that works on the host's firewall just now, empty for none.
    """

    state: Literal["armed", "fired"]
    since: float | None = None
    fires_in: float | None = None
    holder: str = ""

    @property
    def message(self) -> str:
        """What a person reads of it."""
        since = f" since {datetime.fromtimestamp(self.since, UTC):%Y-%m-%d %H:%M:%SZ}" if self.since else ""
        if self.state == "fired":
            return (
                f"a rollback of its firewall{since} is under way or could not be finished: what holds now may not last"
            )
        when = "at its next boot" if self.fires_in is None else f"within {max(0.0, self.fires_in):.0f} s"
        return f"a change of its firewall is not confirmed{since}: unless it is, it is taken back {when}"

    @property
    def next_step(self) -> str:
        """What a person does about it."""
        if self.holder:
            return f"wait for the run that works on it ({self.holder}), then run again"
        if self.state == "fired":
            return (
                "python -m flows.firewall, which tries to finish it (/var/lib/matrix-fleet/fired/log); then run again"
            )
        return "python -m flows.firewall, which finishes the rollback first; then run again"
