"""A certificate authority for tests."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """A certificate authority that signs in memory and writes what it signed into a folder."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def path(self) -> Path:
        """File of its own certificate."""
        path = self.folder / "ca.crt"
        if not path.exists():
            path.write_bytes(_pem(_sign(self.key, self.key, _name("test-ca"), (), True)))
        return path

    def issue(self, stem: str, common: str, *names: str, organisation: str = "") -> tuple[Path, Path]:
        """Issue a certificate good for DNS names and addresses; return its file and its key's."""
        key = ec.generate_private_key(ec.SECP256R1())
        paths = self.folder / f"{stem}.crt", self.folder / f"{stem}.key"
        paths[0].write_bytes(_pem(_sign(self.key, key, _name(common, organisation), names, False)))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )
        return paths

    def kubeconfig(self, path: Path, server: str) -> Path:
        """Write an administrator's kubeconfig as kubeadm writes it."""
        certificate, key = self.issue("admin", "kubernetes-admin", organisation="system:masters")
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "k", "cluster": {"server": server, "certificate-authority-data": _b64(self.path)}}],
            "contexts": [{"name": "admin@k", "context": {"cluster": "k", "user": "admin"}}],
            "current-context": "admin@k",
            "users": [
                {"name": "admin", "user": {"client-certificate-data": _b64(certificate), "client-key-data": _b64(key)}}
            ],
        }
        path.write_text(yaml.safe_dump(config))
        return path


def _name(common: str, organisation: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def _sign(
    authority: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    name: x509.Name,
    names: Sequence[str],
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(_name("test-ca"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(x509.BasicConstraints(is_authority, None), True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
    return builder.sign(authority, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _b64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
