"""Hold a host against every other run that would make something else of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from model.errors import LockHeld, Unreachable

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from remote.shell import CommandStream

PATH = "/run/matrix-fleet-node.lock"
_SECONDS = 320.0
_ORPHAN_SECONDS = 300
_SCRIPT = f"""
exec 9>>{PATH}
if ! flock -w 2 9; then printf 'held by %s\\n' "$(cat {PATH})"; exit; fi
printf '%s\\n' "$1" >{PATH}
# What a run that was killed left under way there ends by itself.
flock -w {_ORPHAN_SECONDS} /run/matrix-fleet-state.lock true ||
    {{ echo "held by what an earlier run left under way"; exit; }}
echo locked
cat >/dev/null
"""


class NodeLock:
    """The lock of one host, held by a process there that ends with this connection."""

    def __init__(self, host: Host, who: str) -> None:
        """Take it; raises `LockHeld` naming the holder, and what running a command raises."""
        from remote.shell import start

        self._stream: CommandStream = start(host, ("sh", "-c", _SCRIPT, "sh", who), root=True)
        try:
            answer = self._stream.read_line(_SECONDS).decode(errors="replace")
        except (EOFError, TimeoutError) as error:
            self._stream.close()
            raise Unreachable(host.name, f"its lock cannot be taken: {error}", "is util-linux installed?") from None
        if answer != "locked":
            self._stream.close()
            raise LockHeld(f"{host.name}: another run works on it: {answer}; wait for it or end it")

    def release(self) -> None:
        """Let it go."""
        with suppress(EOFError, TimeoutError, OSError):
            self._stream.end_input()
        self._stream.close()
