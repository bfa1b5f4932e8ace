"""OpenPGP public keys as apt reads them, written as text."""

from __future__ import annotations

import base64
import binascii

_BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_END = "-----END PGP PUBLIC KEY BLOCK-----"
_PUBLIC, _SECRET = 6, 5
_KEYBOX = b"KBXf"


def armored(data: bytes) -> str:
    """
    Return a public key as armoured text, whether it came so or in binary.

    Raises `ValueError` that says what it is instead.
    """
    binary = _unpacked(data) if b"-----BEGIN" in data[:200] else data
    if binary[8:12] == _KEYBOX:
        raise ValueError("is GnuPG's keybox, which apt does not read; export the key with `gpg --export`")
    kind = _first_packet(binary)
    if kind == _SECRET:
        raise ValueError("is a private key, which must not be here; name the public one")
    if kind != _PUBLIC:
        raise ValueError("is no OpenPGP public key")
    body = base64.b64encode(binary).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    check = base64.b64encode(_crc24(binary).to_bytes(3, "big")).decode()
    return "\n".join((_BEGIN, "", *lines, f"={check}", _END, ""))


def _unpacked(data: bytes) -> bytes:
    lines = [line.strip() for line in data.decode("ascii", "replace").splitlines()]
    if "-----BEGIN PGP PRIVATE KEY BLOCK-----" in lines:
        raise ValueError("is a private key, which must not be here; name the public one")
    if _BEGIN not in lines or _END not in lines:
        raise ValueError("is no OpenPGP public key")
    block = lines[lines.index(_BEGIN) + 1 : lines.index(_END)]
    # Headers of an armour end with an empty line; its check sum begins with =.
    body = block[block.index("") + 1 :] if "" in block else block
    try:
        return base64.b64decode("".join(line for line in body if not line.startswith("=")), validate=True)
    except binascii.Error:
        raise ValueError("is damaged: its armour cannot be decoded") from None


def _first_packet(data: bytes) -> int:
    """Return the tag of the first packet (RFC 9580, 4.2); 0 where there is none."""
    if len(data) < 8 or not data[0] & 0x80:
        return 0
    return data[0] & 0x3F if data[0] & 0x40 else (data[0] & 0x3C) >> 2


def _crc24(data: bytes) -> int:
    """Return the check sum of RFC 9580, 6.1."""
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ (0x1864CFB if crc & 0x800000 else 0)
    return crc & 0xFFFFFF
