"""
Ask a name server for names over UDP, both families, and print a JSON object of addresses: `resolve.py SERVER NAME...`.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import struct
import sys


def main() -> None:
    """Send all questions at once and take the answers as they come."""
    server, names = sys.argv[1], sys.argv[2:]
    asking = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
    asking.settimeout(2)
    asking.connect((server, 53))
    addresses: dict[str, list[str]] = {name: [] for name in names}
    numbers: dict[int, str] = {}
    for name in names:
        for kind in (1, 28):
            numbers[len(numbers) + 1] = name
            labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
            asking.send(struct.pack(">6H", len(numbers), 0x100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, kind, 1))
    for _ in tuple(numbers):
        answer = asking.recv(4096)
        number, _flags, _questions, answers = struct.unpack(">4H", answer[:8])
        at = 12 + len(numbers[number]) + 2 + 4
        for _ in range(answers):
            at += 2 if answer[at] >= 0xC0 else len(numbers[number]) + 2
            kind, _class, _ttl, length = struct.unpack(">HHIH", answer[at : at + 10])
            at += 10
            if kind in (1, 28):
                addresses[numbers[number]].append(str(ipaddress.ip_address(answer[at : at + length])))
            at += length
    sys.stdout.write(json.dumps({name: sorted(texts) for name, texts in addresses.items()}) + "\n")


main()
