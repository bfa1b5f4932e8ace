"""Take Kubernetes off a host: end what runs, or remove everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from model.checkout import HOST_SCRIPTS
from model.errors import CommandFailed, HostError
from remote.command import first_lines
from remote.facts import remains
from remote.facts.node import UNIT

if TYPE_CHECKING:
    from nornir.core.inventory import Host

SCRIPT = HOST_SCRIPTS / "node-reset.sh"
SECONDS = 600.0
Kind = Literal["leave", "reset"]
# The host ends by itself what was begun, whatever becomes of the controller.
_START = f"""umask 077
mkdir -p /run/matrix-fleet && cat >/run/matrix-fleet/reset.sh || exit 1
systemctl reset-failed --quiet {UNIT} 2>/dev/null
exec systemd-run --quiet --wait --collect --unit={UNIT.removesuffix(".service")} \\
    --property=RuntimeMaxSec={SECONDS:.0f} \\
    /bin/sh /run/matrix-fleet/reset.sh "$1"
"""


def leave(host: Host) -> None:
    """
    End kubelet, the containers and the balancers on a host and keep its files; they do not start again by themselves.
    """
    _carry_out(host, "leave")
    _check(host, remains.running(remains.observe(host)))


def reset(host: Host) -> None:
    """Remove everything of Kubernetes from a host, and look again. Raises `HostError` naming what is left."""
    _carry_out(host, "reset")
    _check(host, list(remains.observe(host)))


def _carry_out(host: Host, kind: Kind) -> None:
    from remote.shell import run

    script = f"{remains.SCRIPT.read_text('utf-8')}\n{SCRIPT.read_text('utf-8')}"
    done = run(host, ("sh", "-c", _START, "sh", kind), stdin=script.encode(), root=True, timeout=SECONDS)
    if done.exit_code:
        raise CommandFailed(host.name, (kind,), done.exit_code, first_lines(done.stderr), f"journalctl -u {UNIT} there")


def _check(host: Host, left: list[remains.Trace]) -> None:
    if left:
        shown = ", ".join(map(str, left[:8]))
        raise HostError(host.name, f"afterwards there is still {shown}", "run again; a reboot frees what is in use")
