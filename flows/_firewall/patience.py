"""After how long is a host given up that is being looked at or changed, though each single question to it has a limit?"""

from __future__ import annotations

from tasks.firewall_session import INSTALL_SECONDS

WORKERS = 32
_LOOK_SECONDS = 120.0
_APPLY_SECONDS = 300.0


def to_look(hosts: int) -> float:
    """Return the seconds in which so many hosts are looked at, each of them at its slowest."""
    return _rounds(hosts) * _LOOK_SECONDS


def to_change(hosts: int, hold: float, *, installs: bool = False) -> float:
    """
    Return the seconds in which so many hosts are changed, each of them at its slowest.

    `hold` as in the command; `installs`: ufw is missing on some of them. A host given up rolls itself back.
    """
    return _rounds(hosts) * (_APPLY_SECONDS + hold + (INSTALL_SECONDS if installs else 0.0))


def _rounds(hosts: int) -> int:
    return max(1, -(-hosts // WORKERS))
