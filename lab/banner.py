"""Runs by itself inside the lab's network: wait for the SSH greeting of many hosts at once.

Reads {host: address} as JSON, takes the limit in seconds as its argument, prints the hosts that stayed silent as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys

_PORT = 22
_PAUSE = 0.1


async def greets(address: str) -> None:
    """Return when sshd at this address has greeted."""
    while True:
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(address, _PORT), 2)
            try:
                greeting = await asyncio.wait_for(reader.readline(), 2)
            finally:
                writer.close()
            if greeting.startswith(b"SSH-2.0"):
                return
        except (OSError, TimeoutError):
            pass
        # A closed port says nothing when it opens; asking again is the only way.
        await asyncio.sleep(_PAUSE)


async def silent(targets: dict[str, str], seconds: float) -> list[str]:
    """Return the names of hosts that did not greet in time."""
    tasks = {name: asyncio.create_task(greets(address)) for name, address in targets.items()}
    _, late = await asyncio.wait(tasks.values(), timeout=seconds)
    for task in late:
        task.cancel()
    return [name for name, task in tasks.items() if task in late]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(silent(json.load(sys.stdin), float(sys.argv[1])))))
