"""Claims about the strength of what is made: each kind's alphabet and length, no bias, no two alike."""

from __future__ import annotations

import base64
import os
import random
import re
from collections import Counter

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import ValidationError

from model.rollout.secret_kinds import SAFE, drawn, flaw, generated, signing_key, verify_key
from model.site.secrets import KeySpec
from tests.mutation import loaded

ALL = [
    pytest.param(spec, id=f"{secret.name}/{key}")
    for secret in loaded().application.secrets
    for key, spec in secret.keys.items()
]
# The same bytes in every run.
SEEDED = random.Random(15)  # noqa: S311
PATTERNS = {
    "password": r"[A-Za-z0-9]+",
    "hex": r"[0-9a-f]+",
    "base64": r"[A-Za-z0-9+/]+={0,2}",
    "api-key": r"[A-Za-z0-9-]+",
    "signing-key": r"ed25519 a_[A-Za-z0-9]{4,} [A-Za-z0-9+/]{43}\n",
}


@pytest.mark.parametrize("spec", ALL)
def test_every_declared_key_gets_a_value_of_its_alphabet_and_length(spec: KeySpec) -> None:
    if not spec.is_generated:
        return
    value = generated(spec, os.urandom)
    assert flaw(spec, value) == ""
    if spec.kind in PATTERNS:
        assert re.fullmatch(PATTERNS[spec.kind], value.decode())
    if spec.kind in ("password", "hex", "api-key"):
        assert len(value) == spec.size
    assert generated(spec, os.urandom) != value


@pytest.mark.parametrize("character", "/+=:@%$'\" \\&#\n")
def test_a_password_has_nothing_that_a_url_or_sed_would_read(character: str) -> None:
    assert character not in SAFE
    assert "cannot bear" in flaw(KeySpec(kind="password"), f"{'a' * 30}{character}b".encode())


def test_ten_thousand_signing_keys_are_distinct_strong_and_verify_what_they_signed() -> None:
    spec = KeySpec(kind="signing-key")
    made = [generated(spec, os.urandom) for _ in range(10_000)]
    seeds = {line.split()[2] for line in made}
    names = Counter(verify_key(line)[0] for line in made)
    assert len(seeds) == 10_000
    assert all(len(base64.b64decode(seed + b"=", validate=True)) == 32 for seed in seeds)
    assert len(names) > 9_990
    assert "ed25519:0" not in names
    for number, line in enumerate(made):
        message = b"event %d" % number
        _, public = verify_key(line)
        public.verify(signing_key(line)[1].sign(message), message)
    with pytest.raises(InvalidSignature):
        verify_key(made[0])[1].verify(signing_key(made[1])[1].sign(b"event"), b"event")


def test_no_bit_of_ten_thousand_seeds_is_constant() -> None:
    seeds = [base64.b64decode(generated(KeySpec(kind="signing-key"), os.urandom).split()[2] + b"=") for _ in range(999)]
    for bit in range(256):
        ones = sum(seed[bit // 8] >> (bit % 8) & 1 for seed in seeds)
        # Beyond this a fair coin falls once in 10^15 times.
        assert 370 < ones < 630


def test_every_character_is_as_likely_as_every_other() -> None:
    text = drawn(200_000, SAFE, SEEDED.randbytes)
    expected = len(text) / len(SAFE)
    counts = Counter(text)
    assert set(counts) == set(SAFE)
    # 61 degrees of freedom: above 118 lies one of 100,000 fair sources.
    assert sum((counts[character] - expected) ** 2 / expected for character in SAFE) < 118


def test_the_test_of_likelihood_finds_the_usual_mistake() -> None:
    text = "".join(SAFE[byte % len(SAFE)] for byte in SEEDED.randbytes(200_000))
    expected = len(text) / len(SAFE)
    counts = Counter(text)
    assert sum((counts[character] - expected) ** 2 / expected for character in SAFE) > 118


def test_rejected_bytes_are_drawn_anew() -> None:
    script = iter([bytes([255, 250, 0, 1]), bytes([248, 2, 3, 4])])
    assert drawn(2, SAFE, lambda _size: next(script)) == SAFE[0] + SAFE[1]
    again = iter([bytes([255] * 4), bytes([0, 1, 2, 3])])
    assert drawn(2, SAFE, lambda _size: next(again)) == SAFE[0] + SAFE[1]


def test_asymmetric_keys_are_whole_and_none_like_another() -> None:
    pem = [generated(KeySpec(kind=kind), os.urandom) for kind in ("rsa", "rsa", "x25519", "x25519")]
    keys = [load_pem_private_key(text, None) for text in pem]
    assert isinstance(keys[0], RSAPrivateKey)
    assert keys[0].key_size == 3072
    assert isinstance(keys[2], X25519PrivateKey)
    public = {key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in keys}
    assert len(public) == 4


def test_base64_is_of_as_many_bytes_as_asked_and_an_api_key_begins_with_its_prefix() -> None:
    assert len(base64.b64decode(generated(KeySpec(kind="base64", length=48), os.urandom))) == 48
    value = generated(KeySpec(kind="api-key", prefix="API", length=24), os.urandom)
    assert value.startswith(b"API")
    assert len(value) == 24


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("password", b"CHANGEME-CHANGEME-CHANGEME", "still CHANGEME"),
        ("password", b"short", "shorter than 24"),
        ("password", b" \n", "is empty"),
        ("provided", b"CHANGEME", "still CHANGEME"),
        ("hex", b"xyz", "0-9a-f"),
        ("base64", b"???", "no base64"),
        ("base64", b"YWJj", "fewer than 16 bytes"),
        ("signing-key", b"ed25519 0 abc", "no line"),
        ("rsa", b"-----BEGIN", "no private key in PEM"),
        ("x25519", b"-----BEGIN", "no private key in PEM"),
        ("api-key", b"a/b", "beside letters"),
    ],
)
def test_what_is_no_such_value_is_named_without_the_value(kind: str, value: bytes, says: str) -> None:
    found = flaw(KeySpec(kind=kind), value)  # type: ignore[arg-type]
    assert says in found


def test_values_of_people_are_not_made() -> None:
    with pytest.raises(ValueError, match="provided"):
        generated(KeySpec(kind="provided"), os.urandom)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "password", "length": 23},
        {"kind": "hex", "length": 31},
        {"kind": "rsa", "length": 1024},
        {"kind": "base64", "length": 8},
        {"kind": "signing-key", "length": 40},
        {"kind": "api-key", "prefix": "API", "length": 18},
        {"kind": "password", "prefix": "x"},
        {"kind": "fixed"},
        {"kind": "password", "value": "x"},
    ],
)
def test_a_declaration_that_would_be_weak_or_senseless_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        KeySpec.model_validate(wrong)
