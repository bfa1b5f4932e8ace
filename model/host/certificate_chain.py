"""Chains of certificates: whether they hold together, for which names, and until when."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import starmap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One certificate of a chain; times in UTC, `self_signed` and `signed_by_next` by signature, not by name."""

    subject: str
    issuer: str
    serial: str
    since: datetime
    until: datetime
    names: tuple[str, ...]
    authority: bool
    self_signed: bool
    signed_by_next: bool

    def to_json(self, now: datetime) -> dict[str, object]:
        """Return it as evidence."""
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "serial": self.serial,
            "until": self.until.isoformat(),
            "days": (self.until - now).days,
            "names": list(self.names),
        }


Chain = tuple[ChainLink, ...]


def read_chain(pem: str | Sequence[str]) -> Chain:
    """Read certificates in the order in which they stand. Raises ValueError for what is none."""
    from cryptography import x509

    text = pem if isinstance(pem, str) else "\n".join(pem)
    certificates = x509.load_pem_x509_certificates(text.encode())
    followers = [*certificates[1:], None]
    return tuple(starmap(_link, zip(certificates, followers, strict=True)))


def _link(certificate: Certificate, follower: Certificate | None) -> ChainLink:
    return ChainLink(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        since=certificate.not_valid_before_utc,
        until=certificate.not_valid_after_utc,
        names=_names(certificate),
        authority=_is_authority(certificate),
        self_signed=_issued(certificate, certificate),
        signed_by_next=follower is not None and _issued(certificate, follower),
    )


def _issued(child: Certificate, parent: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        child.verify_directly_issued_by(parent)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _names(certificate: Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = alternative.get_values_for_type(x509.IPAddress)
    return (*alternative.get_values_for_type(x509.DNSName), *map(str, addresses))


def _is_authority(certificate: Certificate) -> bool:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def wrongs(chain: Chain, now: datetime, days: int, names: Collection[str] = ()) -> Iterator[str]:
    """
    Yield what is wrong with a chain: expired, not valid yet, ending within `days`, not signed by what follows it,
    without one of `names`.
    """
    for number, link in enumerate(chain):
        which = "" if number == 0 else f"its authority {link.subject} "
        if link.until <= now:
            yield f"{which}expired on {link.until:%Y-%m-%d}"
        elif link.since > now:
            yield f"{which}is not valid before {link.since:%Y-%m-%d %H:%M} UTC"
        elif link.until - now < timedelta(days=days):
            yield f"{which}expires in {(link.until - now).days} days, on {link.until:%Y-%m-%d}"
        if number + 1 < len(chain) and not link.signed_by_next:
            yield f"{link.subject} is not signed by what follows it, {chain[number + 1].subject}"
    lacking = [name for name in names if not any(_covers(known, name) for known in chain[0].names)] if chain else []
    if lacking:
        yield f"does not name {', '.join(lacking)}"


def _covers(known: str, name: str) -> bool:
    if known.startswith("*."):
        return name.partition(".")[2] == known[2:]
    return known.lower() == name.lower()
