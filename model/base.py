"""The strictness every declared value shares: frozen, no unknown field, no silent conversion."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic_core import PydanticCustomError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# RFC 1123 labels: Kubernetes node names and host names alike.
NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
ROLE = r"^[a-z][a-z0-9_]{0,30}$"
DOMAIN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$"
# What ssh and a shell take for a destination and a user, and for nothing else.
DESTINATION = r"^[A-Za-z0-9_:][A-Za-z0-9_.:%-]*$"
USER_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$"
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")


def _is_destination(text: str) -> str:
    """Programs read `10.1` and `10.0.0.011` as other addresses than the one that is written."""
    if ":" in text or not _NUMBER.fullmatch(text.rstrip(".").rpartition(".")[2]):
        return text
    try:
        IPv4Address(text)
    except ValueError:
        raise PydanticCustomError("destination_number", "is neither an address nor a name") from None
    return text


Name = Annotated[str, StringConstraints(pattern=NAME)]
Destination = Annotated[
    str, StringConstraints(pattern=DESTINATION, strip_whitespace=True), AfterValidator(_is_destination)
]
UserName = Annotated[str, StringConstraints(pattern=USER_NAME, strip_whitespace=True)]
RoleName = Annotated[str, StringConstraints(pattern=ROLE)]
Domain = Annotated[str, StringConstraints(pattern=DOMAIN)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Declared(BaseModel):
    """Desired state, as a person wrote it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def in_url(address: Address | str) -> str:
    """Return an address as it stands before a colon and a port: one of IPv6 in brackets."""
    return f"[{address}]" if ":" in str(address) else str(address)
