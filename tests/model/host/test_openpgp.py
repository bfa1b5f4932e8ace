"""A repository's key goes to hosts as text, whatever form it came in, and nothing else passes for one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from model.host.openpgp import armored
from tests.openpgp import Keyring

PUBLIC = b"\x98\x33\x04" + bytes(range(48))


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory, debian_tools: None) -> Iterator[Keyring]:
    """A new key."""
    keys = Keyring(tmp_path_factory.mktemp("key") / "gpg")
    yield keys
    keys.close()


def test_a_real_key_is_the_same_text_in_either_form_and_gnupg_reads_it(keyring: Keyring) -> None:
    text = armored(keyring.export())
    assert text == armored(keyring.export("--armor"))
    shown = subprocess.run(("gpg", "--show-keys"), input=text.encode(), capture_output=True, check=True)
    assert keyring.name in shown.stdout.decode()


@pytest.mark.parametrize("form", [(), ("--armor",)])
def test_a_private_key_is_refused(keyring: Keyring, form: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="private key"):
        armored(keyring.export(*form, secret=True))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no OpenPGP public key"),
        (b"<!DOCTYPE html><html>404</html>", "no OpenPGP public key"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no OpenPGP public key"),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!\n-----END PGP PUBLIC KEY BLOCK-----\n", "damaged"),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n", "no OpenPGP public key"),
        (b"\x00\x00\x00\x20\x01\x01\x00\x02KBXf" + bytes(20), "keybox"),
    ],
)
def test_what_is_no_key_says_what_it_is(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        armored(data)


def test_text_becomes_itself_again() -> None:
    once = armored(PUBLIC)
    assert once.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n")
    assert armored(once.encode()) == armored(once.replace("\n", "\r\n").encode()) == once
