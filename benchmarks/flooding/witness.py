"""Runs on a host: how many packets come in at two UDP ports, and how many of them get past the host's firewall."""

import json
import select
import socket
import struct
import sys

ETH_P_IP = 0x0800
# By its number: Python does not name it.
SO_RCVBUFFORCE = 33
BUFFER = 64 * 2**20


def main(closed: int, opened: int) -> None:
    """
    Count until standard input ends.

    A packet socket sees a packet before netfilter, a raw socket only what INPUT let pass.
    """
    before = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
    behind = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    for reader in (before, behind):
        reader.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        reader.setblocking(False)
    counts = {"arrived": 0, "passed": 0, "control": 0}
    print("ready", flush=True)
    ending = False
    while True:
        ready, _, _ = select.select([before, behind, *([] if ending else [sys.stdin])], [], [], 0.5 if ending else None)
        if not ready:
            break
        ending = ending or sys.stdin in ready
        for reader in (before, behind):
            for port in ports(reader):
                if port == closed:
                    counts["arrived" if reader is before else "passed"] += 1
                elif port == opened and reader is behind:
                    counts["control"] += 1
    print(json.dumps(counts))


def ports(reader: socket.socket) -> list[int]:
    """Return the destination ports of the UDP packets that wait."""
    arrived = []
    for _ in range(4096):
        try:
            packet, place = reader.recvfrom(256)
        except BlockingIOError:
            break
        # What this host itself sends shows at a packet socket too.
        if len(place) > 2 and place[2] == socket.PACKET_OUTGOING:
            continue
        header = (packet[0] & 15) * 4
        if packet[9] == socket.IPPROTO_UDP and len(packet) >= header + 4:
            arrived.append(struct.unpack_from("!H", packet, header + 2)[0])
    return arrived


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
