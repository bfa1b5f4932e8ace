"""The user and the programs by which a host is looked at on schedule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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
    extras = host.get_connection_parameters(CONNECTION).extras or {}
    return (programs_of()[name],) if extras.get(_MARK) else None
