"""The user and the programs by which a host is looked at on schedule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import OutOfSight
from model.host.scheduled import programs_of
from remote.route import CONNECTION

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_MARK = "installed_programs"


def assume(host: Host, user: str, key: Path) -> None:
    """
    Reach the host as the scheduled identity from now on: by its key and no other, and with nothing but the programs
    that lie there.
    """
    from nornir.core.inventory import ConnectionOptions

    options = host.get_connection_parameters(CONNECTION)
    extras = {**(options.extras or {}), "key_file": str(key), "allow_agent": False, _MARK: True}
    # An empty password is none; without it Nornir would offer one of the inventory's.
    host.connection_options[CONNECTION] = ConnectionOptions(
        options.hostname, options.port, user, "", options.platform, extras
    )


def program(host: Host, name: str) -> tuple[str, ...] | None:
    """Return the command of a program that lies on the host; None where programs are to be brought along."""
    return (programs_of()[name],) if is_scheduled(host) else None


def is_scheduled(host: Host) -> bool:
    """Return whether the host is reached as the scheduled identity, whose key starts nothing but those programs."""
    extras = host.get_connection_parameters(CONNECTION).extras or {}
    return bool(extras.get(_MARK))


def keep_out(host: Host, what: str) -> None:
    """
    Raise `OutOfSight` where the host is reached as the scheduled identity, which may not do `what`.

    Asked before anything is sent: the host would refuse it, and a refusal reads as if something was broken there.
    """
    if is_scheduled(host):
        raise OutOfSight(
            f"{host.name}: the scheduled account may not {what}",
            "run flows.validate as somebody who may, not --scheduled",
        )
