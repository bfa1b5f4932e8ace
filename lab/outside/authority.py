"""A certificate authority that vouches for the hosts outside, as old as the emitted site, which names it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from lab.whole_file import PRIVATE, write_whole

# Its own certificate, in the folder of its key and in the emitted site's.
AUTHORITY_FILE = "outside-ca.pem"
_NAME = "Lab authority"
_LASTS = timedelta(days=3650)
_BEFORE = timedelta(days=1)
_SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """The authority of a folder, in which it is made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._key, self._own = folder / "outside-ca.key", folder / AUTHORITY_FILE
        # The certificate comes last: where it is, its key is, too.
        if not self._own.exists():
            key = _new_key()
            write_whole(self._key, _private(key), PRIVATE)
            write_whole(self._own, _pem(_signed(key, key, _NAME, authority=True)))

    @property
    def certificate(self) -> str:
        """Its own certificate, in PEM."""
        return self._own.read_text("ascii")

    def issue(self, name: str) -> str:
        """Return a certificate for a DNS name and its private key, in one PEM."""
        signer, key = load_pem_private_key(self._key.read_bytes(), None), _new_key()
        assert isinstance(signer, ec.EllipticCurvePrivateKey)  # noqa: S101 - made above
        certificate = _signed(signer, key, name, authority=False)
        return _pem(certificate) + _private(key)


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def _signed(
    signer: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePrivateKey, name: str, *, authority: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_called(name))
        .issuer_name(_called(_NAME))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _LASTS)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if authority:
        # OpenSSL's strict mode, which newer versions of Python ask for, takes no authority that does not say this.
        builder = builder.add_extension(_SIGNS, critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
