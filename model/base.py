"""The strictness every declared value shares: frozen, no unknown field, no silent conversion."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# RFC 1123 labels: Kubernetes node names and host names alike.
NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
ROLE = r"^[a-z][a-z0-9_]{0,30}$"
DOMAIN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$"

Name = Annotated[str, StringConstraints(pattern=NAME)]
RoleName = Annotated[str, StringConstraints(pattern=ROLE)]
Domain = Annotated[str, StringConstraints(pattern=DOMAIN)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Declared(BaseModel):
    """Desired state, as a person wrote it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def in_url(address: Address | str) -> str:
    """Return an address as it stands before a colon and a port: one of IPv6 in brackets."""
    return f"[{address}]" if ":" in str(address) else str(address)
