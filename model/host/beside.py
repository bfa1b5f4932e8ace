"""What compliance looks at on a host beside what the collector tells: what has to be tried there."""

from __future__ import annotations

from dataclasses import dataclass

from model.packets.devices import Devices
from model.ufw.next_boot import NextBoot
from model.ufw.unconfirmed import UnconfirmedChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """
    `boot`: what the next boot will do to the firewall; `unconfirmed`: a change of it that waits to be confirmed;
    `journal` and `apt` as preflight knows them; `devices`: what decides about packets at devices.

    `withheld`: the account that looks may run nothing that tells of these, and none of the others is known then.
    """

    boot: NextBoot | None = None
    unconfirmed: UnconfirmedChange | None = None
    journal: tuple[str, ...] = ()
    apt: str = ""
    devices: Devices | None = None
    withheld: str = ""
