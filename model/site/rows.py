"""What `ports.yaml` says: one row is one flow between two ends."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from model.base import Declared, RoleName, Text

WORDS = frozenset(
    {
        "nodes",
        "pods",
        "management",
        "internet",
        "clients",
        "admins",
        "li_clients",
        "vantage",
        "dns_servers",
        "ntp_servers",
        "li_dns_servers",
    }
)
Plane = Literal["host", "pod", "external"]
Protocol = Literal["tcp", "udp", "vrrp"]
PORTS = r"^\d{1,5}(-\d{1,5})?$"
ROW_NAME = r"^[a-z0-9][a-z0-9-]*$"
PortText = Annotated[str, StringConstraints(pattern=PORTS)]
Interval = tuple[int, int]


class When(Declared):
    """Conditions that must all hold: any of the features, any of the CNI's words, the stage. Empty means always."""

    feature: tuple[str, ...] = ()
    cni: tuple[str, ...] = ()
    stage: Literal["always", "install"] = "always"


class Row(Declared):
    """
    One flow: who may speak to whom on which ports.

    `ports` are numbers or `lo-hi`, in the destination's terms; none for vrrp. `process` names what may own the
    listener; `request` is a harmless UDP question its service answers. `builtin` names an opening of ufw's own that
    this row declares. `pod_from` and `pod_to` name the components on either side of a pod row. `target` is the name of
    the external address (site.yaml `external`) an external row is about. `source` is the place in the requirements.
    `phase` is the part of the deployment that brings the service: from then on it must answer.
    """

    name: Annotated[str, StringConstraints(pattern=ROW_NAME)]
    plane: Plane
    source_ends: tuple[RoleName, ...] = Field(alias="from", min_length=1)
    destination_ends: tuple[RoleName, ...] = Field(alias="to", min_length=1)
    ports: tuple[Annotated[int, Field(ge=1, le=65535)] | PortText, ...] = ()
    protocol: Protocol
    when: When = When()
    why: Text
    source: Text
    target: str | None = None
    pod_from: tuple[Text, ...] = ()
    pod_to: tuple[Text, ...] = ()
    process: tuple[str, ...] = ()
    request: Literal["stun", "dns", "ntp"] | None = None
    builtin: Literal["dhcp", "mdns", "upnp", "dhcpv6"] | None = None
    phase: Literal["cluster", "rollout"] = "rollout"

    @model_validator(mode="after")
    def _ports_fit(self) -> Row:
        if (self.protocol == "vrrp") == bool(self.ports):
            raise ValueError("a tcp or udp row needs ports, a vrrp row has none")
        for low, high in self.intervals:
            if not 1 <= low <= high <= 65535:
                raise ValueError(f"{low}-{high} is no interval of ports within 1-65535")
        if (self.target is not None) and self.plane != "external":
            raise ValueError("only an external row has a target")
        return self

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """Ports as inclusive (low, high) pairs, in the order written."""
        pairs = (str(port).partition("-") for port in self.ports)
        return tuple((int(low), int(high or low)) for low, _, high in pairs)

    def holds(self, features: frozenset[str], cni: frozenset[str], install: bool) -> bool:
        """Return whether the row's conditions are met."""
        return (
            (not self.when.feature or bool(features & set(self.when.feature)))
            and (not self.when.cni or bool(cni & set(self.when.cni)))
            and (self.when.stage == "always" or install)
        )


class PortsFile(Declared):
    """`ports.yaml`."""

    rows: tuple[Row, ...] = Field(min_length=1)
