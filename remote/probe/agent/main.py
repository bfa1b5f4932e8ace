"""The agent's start and its only two ends: the controller's, or an error told to it."""

from __future__ import annotations

import signal
import struct
from collections.abc import Callable

from remote.probe.agent.channel import BadMessage, Channel, Message
from remote.probe.agent.container import enter
from remote.probe.agent.host import ready


def run(serve: Callable[[Channel], None], life: int) -> None:
    """
    Serve, as witness or source, where the first message says (`container`: in that one's network, empty for the host's own), until the
    end of input, `life` seconds at most; exits with 1 after telling an error.
    """
    # The signal's default ends the process, whatever it is doing.
    signal.alarm(life)
    channel = Channel()
    try:
        container = _first(channel)["container"]
        if container:
            enter(container)
        channel.say(ready())
        serve(channel)
    except KeyError as error:
        failure = f"missing or unknown: {error}"
    except PermissionError as error:
        failure = f"needs root, for raw sockets: {error}"
    except (
        BadMessage,
        OSError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        OverflowError,
        struct.error,
    ) as error:
        failure = f"{type(error).__name__}: {error}"
    channel.say({"error": failure})
    raise SystemExit(1)


def _first(channel: Channel) -> Message:
    """Wait for the first message."""
    while (message := channel.next()) is None:
        channel.wait(None)
    return message
