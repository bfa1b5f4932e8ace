"""Forward frames between two interfaces, each of them delayed, doubled, or after those that came later."""

from __future__ import annotations

import heapq
import random
import select
import socket
import sys
import time

_EVERY, _SOL_PACKET, _VNET_HDR, _OUTGOING = 0x0003, 263, 15, 4


def opened(interface: str) -> socket.socket:
    """A socket for all frames of an interface; what the kernel left for hardware to do travels along."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY))
    sock.setsockopt(_SOL_PACKET, _VNET_HDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE if hasattr(socket, "SO_RCVBUFFORCE") else 33, 1 << 25)
    sock.bind((interface, 0))
    sock.setblocking(False)
    return sock


def delays(kind: str) -> list[float]:
    """After how many seconds copies of a frame go on."""
    dice = random.random()  # noqa: S311 - dice, not secrets
    if kind == "delay":
        return [0.3 + 0.1 * dice]
    if kind == "double":
        return [0.0, 0.002] if dice < 0.5 else [0.0]
    return [0.05 * dice]


def forward(first: str, second: str, kind: str) -> None:
    """Forward until killed."""
    ends = opened(first), opened(second)
    others = {ends[0]: ends[1], ends[1]: ends[0]}
    queue: list[tuple[float, int, socket.socket, bytes]] = []
    number = 0
    print("forwarding", flush=True)
    while True:
        left = max(0.0, queue[0][0] - time.monotonic()) if queue else 1.0
        for sock in select.select(ends, (), (), left)[0]:
            for _ in range(256):
                try:
                    frame, sender = sock.recvfrom(70000)
                except BlockingIOError:
                    break
                if sender[2] == _OUTGOING:
                    continue
                for delay in delays(kind):
                    number += 1
                    heapq.heappush(queue, (time.monotonic() + delay, number, others[sock], frame))
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            _, _, target, frame = heapq.heappop(queue)
            try:
                target.send(frame)
            except OSError:
                # An interface that has no room loses the frame, as any wire may.
                continue


if __name__ == "__main__":
    forward(*sys.argv[1:4])
