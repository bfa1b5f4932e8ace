"""Runs on a host: packets at a closed port, and now and then at an open one, until standard input ends."""

import json
import select
import socket
import sys
import time

PACKETS_PER_BURST, BURSTS_PER_SECOND = 100, 150
LONGEST_SECONDS = 600.0


def main(address: str, closed: int, opened: int) -> None:
    """Send bursts at an even pace; the pace gives way where the machine is slower."""
    sent = 0
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    print("ready", flush=True)
    started = time.monotonic()
    burst = 0
    while time.monotonic() - started < LONGEST_SECONDS:
        burst += 1
        due = started + burst / BURSTS_PER_SECOND
        if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            break
        for _ in range(PACKETS_PER_BURST):
            sender.sendto(b"flood", (address, closed))
        sender.sendto(b"control", (address, opened))
        sent += PACKETS_PER_BURST
    print(json.dumps({"sent": sent}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
