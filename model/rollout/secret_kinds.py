"""How a value of each kind is made from random bytes, and how one is recognised."""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from model.site.secrets import KeySpec, SecretKind

RandomBytes = Callable[[int], bytes]

# Bears a URL, a shell, sed and YAML without quoting.
SAFE = string.ascii_letters + string.digits
PLACEHOLDER = "CHANGEME"
_SEED_BYTES = 32
_ID_LENGTH = 6
_SIGNING_KEY = re.compile(r"ed25519 (a_[A-Za-z0-9]{4,}) ([A-Za-z0-9+/]{43})\n?")


def generated(spec: KeySpec, random: RandomBytes) -> bytes:
    """Return a new value of the spec's kind. Raises ValueError for kinds whose values come from people."""
    if spec.kind not in _MAKERS:
        raise ValueError(f"no value of the kind {spec.kind} is made by a program")
    return _MAKERS[spec.kind](spec, random)


def flaw(spec: KeySpec, value: bytes) -> str:
    """Return why these bytes are no such value, in words without the value; empty where they are one."""
    if not value.strip():
        return "is empty"
    if PLACEHOLDER.encode() in value:
        return f"is still {PLACEHOLDER}"
    return _FLAWS[spec.kind](spec, value) if spec.kind in _FLAWS else ""


def drawn(length: int, alphabet: str, random: RandomBytes) -> str:
    """Return a text of characters that are all equally likely."""
    # A byte beyond the last whole multiple of the alphabet would favour its first characters.
    limit = 256 - 256 % len(alphabet)
    text = ""
    while len(text) < length:
        text += "".join(alphabet[byte % len(alphabet)] for byte in random(2 * length) if byte < limit)
    return text[:length]


def signing_key(value: bytes) -> tuple[str, Ed25519PrivateKey]:
    """Return the id (`ed25519:a_...`) and the key of a Synapse signing key. Raises ValueError."""
    match = _SIGNING_KEY.fullmatch(value.decode("ascii", "replace"))
    if match is None:
        raise ValueError("is no line `ed25519 a_ID SEED`")
    seed = base64.b64decode(f"{match[2]}=", validate=True)
    return f"ed25519:{match[1]}", Ed25519PrivateKey.from_private_bytes(seed)


def verify_key(value: bytes) -> tuple[str, Ed25519PublicKey]:
    """Return the id and the public key that belongs to a Synapse signing key. Raises ValueError."""
    name, key = signing_key(value)
    return name, key.public_key()


def _password(spec: KeySpec, random: RandomBytes) -> bytes:
    return drawn(spec.size, SAFE, random).encode()


def _hex(spec: KeySpec, random: RandomBytes) -> bytes:
    return random((spec.size + 1) // 2).hex()[: spec.size].encode()


def _base64(spec: KeySpec, random: RandomBytes) -> bytes:
    return base64.b64encode(random(spec.size))


def _api_key(spec: KeySpec, random: RandomBytes) -> bytes:
    prefix = spec.prefix or ""
    return f"{prefix}{drawn(spec.size - len(prefix), SAFE, random)}".encode()


def _signing_key(_spec: KeySpec, random: RandomBytes) -> bytes:
    seed = base64.b64encode(random(_SEED_BYTES)).decode().rstrip("=")
    return f"ed25519 a_{drawn(_ID_LENGTH, SAFE, random)} {seed}\n".encode()


def _rsa(spec: KeySpec, _random: RandomBytes) -> bytes:
    # OpenSSL looks for primes by itself, with the operating system's randomness.
    key = rsa.generate_private_key(public_exponent=65537, key_size=spec.size)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _x25519(_spec: KeySpec, random: RandomBytes) -> bytes:
    key = X25519PrivateKey.from_private_bytes(random(_SEED_BYTES))
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


_MAKERS: Mapping[SecretKind, Callable[[KeySpec, RandomBytes], bytes]] = {
    "password": _password,
    "hex": _hex,
    "base64": _base64,
    "api-key": _api_key,
    "signing-key": _signing_key,
    "rsa": _rsa,
    "x25519": _x25519,
}


def _not_plain(_spec: KeySpec, value: bytes) -> str:
    wrong = set(value.decode("utf-8", "replace")) - set(SAFE)
    return "has characters that a URL or a configuration file cannot bear" if wrong else _short(24, value)


def _short(least: int, value: bytes) -> str:
    return f"is shorter than {least} characters" if len(value) < least else ""


def _no_hex(_spec: KeySpec, value: bytes) -> str:
    return "" if re.fullmatch(rb"[0-9a-f]{32,}", value) else "is no text of 32 or more digits 0-9a-f"


def _no_base64(_spec: KeySpec, value: bytes) -> str:
    try:
        decoded = base64.b64decode(value, validate=True)
    except ValueError:
        return "is no base64"
    return "is fewer than 16 bytes" if len(decoded) < 16 else ""


def _no_api_key(spec: KeySpec, value: bytes) -> str:
    if not re.fullmatch(rb"[A-Za-z0-9-]+", value):
        return "has characters beside letters, digits and -"
    wanted = (spec.prefix or "").encode()
    return "" if value.startswith(wanted) else f"does not begin with {spec.prefix}"


def _no_signing_key(_spec: KeySpec, value: bytes) -> str:
    try:
        signing_key(value)
    except ValueError as error:
        return str(error)
    return ""


def _no_private_key(spec: KeySpec, value: bytes) -> str:
    try:
        key = load_pem_private_key(value, password=None)
    except (ValueError, TypeError):
        return "is no private key in PEM without a passphrase"
    if spec.kind == "x25519":
        return "" if isinstance(key, X25519PrivateKey) else "is no X25519 key"
    if not isinstance(key, rsa.RSAPrivateKey):
        return "is no RSA key"
    return "is an RSA key of fewer than 2048 bits" if key.key_size < 2048 else ""


_FLAWS: Mapping[SecretKind, Callable[[KeySpec, bytes], str]] = {
    "password": _not_plain,
    "hex": _no_hex,
    "base64": _no_base64,
    "api-key": _no_api_key,
    "signing-key": _no_signing_key,
    "rsa": _no_private_key,
    "x25519": _no_private_key,
}
