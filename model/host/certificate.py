"""A certificate, and how long it still holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

SOON_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate by the file that holds it; `until` and `since` are in UTC."""

    path: str
    subject: str
    issuer: str
    serial: int
    since: datetime
    until: datetime
    authority: bool

    def days(self, now: datetime) -> int:
        """Return the whole days it still holds; negative once it has expired."""
        return (self.until - now).days

    def finding(self, now: datetime) -> str:
        """Say what is wrong with how long it holds; empty where nothing is."""
        if self.until <= now:
            return f"expired {self.until:%Y-%m-%d}"
        if self.days(now) < SOON_DAYS:
            return f"expires in {self.days(now)} days, {self.until:%Y-%m-%d}"
        return ""

    def to_json(self, now: datetime) -> dict[str, object]:
        """Return it as evidence."""
        return {
            "path": self.path,
            "subject": self.subject,
            "issuer": self.issuer,
            "serial": f"{self.serial:x}",
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "days": self.days(now),
            "authority": self.authority,
        }


def read(path: str, pem: bytes) -> Certificate:
    """Return the first certificate of a PEM text: the one that is presented. Raises `ValueError`."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificates(pem)[0]
    try:
        authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    subject, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    return Certificate(
        path=path,
        subject=subject,
        issuer=issuer,
        serial=certificate.serial_number,
        since=since,
        until=until,
        authority=authority,
    )
