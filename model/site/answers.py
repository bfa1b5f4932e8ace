"""What an organisation must tell before a site can be written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, ip_address
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from model.base import Address, Declared, Domain, Name, Network, RoleName, Text, UserName
from model.site.reserved import free
from model.site.roles import WANTED_BY, known
from model.site.settings import EMAIL, VERSION, Port, SiteSize

# `10.0.1.11`, `10.0.1.11,fd00::11` or `cp-1=10.0.1.11,fd00::11`.
SERVER = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?=)?[0-9a-fA-F:.]+(,[0-9a-fA-F:.]+)?$"


def _is_server(text: str) -> str:
    try:
        name, _ = server(text, "")
    except ValueError as error:
        raise PydanticCustomError("server_address", "is no IP address") from error
    free(name)
    return text


# `db-1=virtio-data1:200`: a server, its disk under /dev/disk/by-id, GiB.
DISK = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?=[A-Za-z0-9][A-Za-z0-9._:+-]*:[1-9][0-9]{0,5}$"
DiskText = Annotated[str, StringConstraints(pattern=DISK)]
ServerText = Annotated[str, StringConstraints(pattern=SERVER), AfterValidator(_is_server)]
CertificateMethod = Literal["letsencrypt-http01", "letsencrypt-dns01", "organisation", "internal-ca"]
# Concurrent users: below, the fewest processes of a pool are all that it ever needs.
AUTOSCALED_FROM = 5_000
# A site can be written down without servers of the other purposes; lint then says what is short.
_NEEDED = ("control-plane", "application", "calls", "interception")


class Answers(Declared):
    """
    Everything `python -m flows.site init` asks for. Networks are lists of CIDRs, one of each IP family.

    `servers` are lists by role: an address (and its IPv6 address after a comma), with a name before `=` where the usual
    one will not do. A server under several roles has them all.
    """

    name: Name = Field("production", description="A short name for the site, as reports carry it")
    domain: Domain = Field(description="Primary domain; the homeserver is matrix.<domain>")
    concurrent_users: int = Field(100, ge=1, le=1_000_000, description="Expected number of users at the same time")
    size: SiteSize = Field("auto", description="Servers by the number of users, or small: five for up to 100 users")
    federation: bool = Field(False, description="Talk to other homeservers?")
    organisation_contact: str = Field("", description="Who at the organisation answers questions")
    main_network: tuple[Network, ...] = Field(min_length=1, description="CIDRs of the servers' network")
    main_gateway: tuple[Address, ...] = Field((), description="Its gateway addresses")
    servers: dict[RoleName, tuple[ServerText, ...]] = Field(min_length=1, description="Servers by role")
    ssh_user: UserName = Field("deploy", description="User of the SSH connections; root, or one with sudo")
    ssh_port: Port = Field(22, description="SSH port of the servers")
    database_disks: tuple[DiskText, ...] = Field(
        (), description="Whole disks for databases, SERVER=ID:GIB (ls /dev/disk/by-id; none: declared later)"
    )
    object_disks: tuple[DiskText, ...] = Field((), description="Whole disks for media and other objects, likewise")
    management: tuple[Network, ...] = Field(min_length=1, description="Networks from which deployers use SSH")
    admins: tuple[Network, ...] = Field((), description="Networks of administrators' browsers; the same if empty")
    ingress_addresses: tuple[Address, ...] = Field(min_length=1, description="External addresses of the ingress")
    ingress_servers: tuple[Name, ...] = Field((), description="Servers behind them; the first worker if empty")
    outside: tuple[ServerText, ...] = Field(
        (), description="Hosts outside the perimeter that prove by SSH what the internet sees (none: declared later)"
    )
    turn: bool = Field(True, description="Calls between two: TURN server?")
    turn_addresses: tuple[Address, ...] = Field((), description="External addresses of the TURN server")
    livekit: bool = Field(True, description="Group calls: LiveKit?")
    livekit_addresses: tuple[Address, ...] = Field((), description="External addresses of LiveKit")
    dns: tuple[Address, ...] = Field(min_length=1, description="Name servers")
    ntp: tuple[Address, ...] = Field(min_length=1, description="Time servers")
    api_name: Domain | None = Field(None, description="DNS name of the Kubernetes API; api.<domain> if empty")
    api_address: Address | None = Field(None, description="A free address of the servers' network for it")
    api_provider: Literal["keepalived", "organisation"] = Field("keepalived", description="Who holds that address")
    pod_network: tuple[Network, ...] = Field((IPv4Network("10.244.0.0/16"),), description="Pod network CIDRs")
    service_network: tuple[Network, ...] = Field((IPv4Network("10.96.0.0/12"),), description="Service network CIDRs")
    kubernetes_version: Annotated[str, StringConstraints(pattern=VERSION)] = Field("1.36", description="Version")
    cni: Literal["calico", "cilium", "flannel"] = Field("calico", description="Pod network plugin")
    certificates: CertificateMethod = Field("letsencrypt-http01", description="Where certificates come from")
    email: Annotated[str, StringConstraints(pattern=EMAIL)] | None = Field(
        None, description="Contact for Let's Encrypt"
    )
    certificate: Text | None = Field(None, description="Certificate file (PEM), if the organisation provides it")
    private_key: Text | None = Field(None, description="Its private key file (PEM)")
    li: bool = Field(True, description="Lawful intercept?")
    li_network: tuple[Network, ...] = Field((), description="CIDRs of the isolated LI network")
    li_gateway: tuple[Address, ...] = Field((), description="Its gateway addresses")
    li_dns: tuple[Address, ...] = Field((), description="Name servers of the LI network")
    li_ingress: tuple[Address, ...] = Field((), description="Addresses of the LI ingress; the LI servers' if empty")
    li_clients: tuple[Network, ...] = Field((), description="Networks of LI administrators; the LI network if empty")
    li_access: Literal["vpn", "physical", "other"] = Field("vpn", description="How LI administrators get there")
    li_certificates: Literal["letsencrypt-dns01", "organisation", "internal-ca"] = Field(
        "internal-ca", description="Where LI's certificates come from"
    )
    egress: Literal["open", "closed"] = Field("closed", description="Way to the internet after installation")
    monitoring: bool = Field(True, description="Prometheus, Grafana and Loki on a server of their own?")
    antivirus: bool = Field(True, description="Scan media for viruses?")
    push_notifications: bool = Field(False, description="Apple's and Google's push services?")
    smtp: bool = Field(False, description="Mail notifications?")
    element_web: bool = Field(True, description="The web client Element Web at chat.<domain>?")
    admin_ui: bool = Field(True, description="Pages for administration (Ketesa), reached from inside only?")
    autoscaling: bool = Field(False, description="Synapse's pools grow with the load (usual from 5,000 users on)?")
    firewall_contact: str = Field("", description="Who runs the perimeter firewall")

    @property
    def autoscaled(self) -> bool:
        """Whether pools grow with the load: by the number of users where nobody has said so."""
        return self.autoscaling if "autoscaling" in self.model_fields_set else grows(self.model_dump())

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Refuse roles that nobody knows, and what lacks something that another answer makes necessary."""
        unknown = sorted(set(self.servers) - set(known()))
        if unknown:
            raise ValueError(f"servers: no role {', '.join(unknown)}; roles are {', '.join(known())}")
        there = named_servers(self.servers)
        for text in (*self.database_disks, *self.object_disks):
            if disk(text)[0] not in there:
                raise ValueError(f"{text}: no server is called {disk(text)[0]}; servers are {', '.join(there)}")
        if len(named_outside(self.outside)) < len(self.outside):
            raise ValueError("outside: two hosts have one name; say another before `=`")
        for name in named_outside(self.outside).keys() & there.keys():
            raise ValueError(f"outside: {name} is a server of the site; a host outside the perimeter is meant")
        missing = lacking(self.model_dump())
        if missing:
            raise ValueError(f"also needs {', '.join(missing)}")
        return self


def grows(given: Mapping[str, Any]) -> bool:
    """Return whether the load of so many users should decide how many processes there are, going by other answers."""
    users = given.get("concurrent_users")
    return isinstance(users, int) and users >= AUTOSCALED_FROM and given.get("size", "auto") == "auto"


def lacking(given: Mapping[str, Any]) -> dict[str, str]:
    """
    Return the answers that others make necessary and that are absent or empty, each with what would make it needless.

    `given` may be incomplete and wrong otherwise: what it does not say has its default.
    """
    answers = {name: field.default for name, field in Answers.model_fields.items()} | dict(given)
    servers = answers["servers"] if isinstance(answers["servers"], Mapping) else {}
    own_method = answers["certificates"] == "organisation"
    needs = {
        "turn_addresses": (answers["turn"], "`turn: false`"),
        "livekit_addresses": (answers["livekit"], "`livekit: false`"),
        "api_address": (answers["api_provider"] == "keepalived", "`api_provider: organisation`"),
        "li_network": (answers["li"], "`li: false`"),
        "li_dns": (answers["li"], "`li: false`"),
        "email": (str(answers["certificates"]).startswith("letsencrypt"), "`certificates: internal-ca`"),
        "certificate": (own_method, "`certificates: internal-ca`"),
        "private_key": (own_method, "`certificates: internal-ca`"),
        **_needed_servers(answers),
    }
    held = {**answers, **{f"servers.{role}": names for role, names in servers.items()}}
    return {name: instead for name, (needed, instead) in needs.items() if needed and not held.get(name)}


def _needed_servers(answers: Mapping[str, Any]) -> dict[str, tuple[bool, str]]:
    """Return the roles that nothing works without where their features are on, and the answers that turn them off."""
    needs = {}
    for name, role in known().items():
        features = WANTED_BY.get(role.purpose, ())
        wanted = not features or any(answers[feature] for feature in features)
        instead = " and ".join(f"`{feature}: false`" for feature in features)
        if role.purpose in _NEEDED:
            needs[f"servers.{name}"] = (wanted, instead)
    return needs


def named_servers(servers: Mapping[str, Sequence[str]]) -> dict[str, tuple[tuple[Address, ...], list[str]]]:
    """
    Join what is said of one server under several roles: addresses and roles by its name.

    A server is known by its name or its first address.
    """
    found: dict[str, tuple[tuple[Address, ...], list[str]]] = {}
    for role, texts in servers.items():
        for number, text in enumerate(texts, 1):
            name, addresses = server(text, "")
            same = next((other for other, (held, _) in found.items() if held[0] == addresses[0]), None)
            chosen = name or same or f"{known()[role].prefix}-{number}"
            found.setdefault(chosen, (addresses, []))[1].append(role)
    return found


def named_outside(texts: Sequence[str]) -> dict[str, tuple[Address, ...]]:
    """Return the addresses of hosts outside the perimeter by name."""
    return dict(server(text, f"vantage-{number}") for number, text in enumerate(texts, 1))


def disk(text: str) -> tuple[str, str, int]:
    """Return the server of a disk, its name under /dev/disk/by-id, and its GiB."""
    host, _, rest = text.partition("=")
    name, _, gib = rest.rpartition(":")
    return host, name, int(gib)


def server(text: str, fallback: str) -> tuple[str, tuple[Address, ...]]:
    """
    Return a server's name, `fallback` if it says none, and its addresses. Raises `ValueError` for what is no address.
    """
    name, _, addresses = text.rpartition("=")
    return name or fallback, tuple(ip_address(part) for part in addresses.split(","))
