"""What `site.yaml` says: everything the organisation tells the deployer once."""

from __future__ import annotations

from datetime import date
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from model.base import Address, Declared, Domain, Name, Network, Text, UserName
from model.site.installation import Containerd, ImageName, Reference, Registry, Repository
from model.site.outward import FederationPartners, MailServer, PushGateway
from model.site.schedule import Schedule, Tell
from model.site.secrets import SecretKeeping

WORLD: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
VERSION = r"^1\.\d{2}(\.\d{1,2})?$"
EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
ACME = frozenset({"letsencrypt-http01", "letsencrypt-dns01"})
Port = Annotated[int, Field(ge=1, le=65535)]


def _present_name(size: object) -> object:
    """Read `lab`, the former name of `small`, as what it is called today."""
    return "small" if size == "lab" else size


SiteSize = Annotated[
    Literal["auto", "small"], BeforeValidator(_present_name, json_schema_input_type=Literal["auto", "small", "lab"])
]


class NetworkPlan(Declared):
    """One of the organisation's networks; hosts of an isolated one may only be reached by rows that name them."""

    cidrs: tuple[Network, ...] = Field(min_length=1)
    isolated: bool = False
    gateway: tuple[Address, ...] = ()
    speed_mbps: int = Field(default=1000, ge=1)


class External(Declared):
    """An address the internet sees, and the hosts the perimeter's DNAT hands its packets to."""

    addresses: tuple[Address, ...] = Field(min_length=1)
    targets: tuple[Name, ...] = Field(min_length=1)


class Dns(Declared):
    """Name servers of the main and of the isolated view; names are derived from the domain."""

    main: tuple[Address, ...] = ()
    li: tuple[Address, ...] = ()
    managed_by: Text = "the organisation's DNS administrator"


class Tls(Declared):
    """
    Where certificates come from. HTTP-01 cannot reach names that only the LI network resolves.

    `dns01` says how the zone's records are written, as cert-manager's own `dns01` does; what it needs to know in secret
    is the key `key` of the Secret `acme-dns01`.
    """

    method: Literal["letsencrypt-http01", "letsencrypt-dns01", "organisation", "internal-ca"] = "letsencrypt-http01"
    li_method: Literal["letsencrypt-http01", "letsencrypt-dns01", "organisation", "internal-ca"] = "internal-ca"
    email: Annotated[str, Field(pattern=EMAIL)] | None = None
    staging: bool = False
    certificate: Text | None = None
    private_key: Text | None = None
    dns01: dict[Text, JsonValue] = {}


class Cni(Declared):
    """
    The pod network and how it carries packets between nodes.

    `manifest` is its publisher's own, a file relative to the site's folder, for Calico where no bundle brings it.
    `policies`: who enforces NetworkPolicies, the pod network's `own` programs or, beside Flannel which has none,
    `kube-router`.
    """

    name: Literal["flannel", "calico", "cilium"] = "calico"
    manifest: Text | None = None
    mode: Literal["vxlan", "bgp"] = "vxlan"
    wireguard: bool = False
    typha: bool = False
    policies: Literal["own", "kube-router"] = "own"

    @property
    def tags(self) -> frozenset[str]:
        """The words a row's `when.cni` may name."""
        extra = {f"{self.name}-{word}" for word, on in (("wireguard", self.wireguard), ("typha", self.typha)) if on}
        extra |= {self.policies} if self.policies != "own" else set()
        return frozenset({self.name, f"{self.name}-{self.mode}"} | extra)

    @property
    def enforces_policies(self) -> bool:
        """Whether something on every node holds pods to their NetworkPolicies."""
        return self.name != "flannel" or self.policies == "kube-router"


class Endpoint(Declared):
    """How the Kubernetes API is reached: an address the control planes hold, or the organisation's balancer."""

    name: Domain
    addresses: tuple[Address, ...] = ()
    port: Port = 8443
    provider: Literal["keepalived", "organisation"] = "keepalived"


class Runtime(Declared):
    """
    What containerd and kubelet must respect of the servers they run on; the defaults fit Debian on its own kernel.

    `eviction_hard` replaces kubelet's thresholds, such as `imagefs.available: 2Gi`, where a share of the disk says
    nothing about what is left. `leader_lease_seconds`: how long a controller that leads may be without an answer of the
    API before another takes over, less a third; more where API servers answer late under load. `pod_sync_seconds`: how
    often kubelet looks at each pod again by itself, which is when a changed Secret reaches the pod's files; operators
    wait for their own at their first start.
    """

    cgroup_driver: Literal["systemd", "cgroupfs"] = "systemd"
    apparmor: bool = True
    lower_oom_scores: bool = True
    eviction_hard: dict[Text, Text] = {}
    leader_lease_seconds: Annotated[int, Field(ge=15, le=120)] = 15
    pod_sync_seconds: Annotated[int, Field(ge=5, le=60)] = 60

    @property
    def leader_renewal_seconds(self) -> int:
        """How long a leader tries to renew its lease before it ends itself."""
        return self.leader_lease_seconds * 2 // 3


class Kubernetes(Declared):
    """
    The cluster to be.

    `packages`: whether nodes are installed from the offline `bundle`, a folder relative to the site's, or by apt from
    `repositories`, with `containerd` from there and images pulled. `registries` are mirrors that images are pulled
    from, `images` replace those that kubeadm does not choose. `cgroup_v1`: kubelet may run on the first version of
    control groups. `accepted_errors` names checks of kubeadm's own that somebody answers for.
    """

    version: Annotated[str, Field(pattern=VERSION)] = "1.36"
    endpoint: Endpoint
    pod_cidrs: tuple[Network, ...] = (IPv4Network("10.244.0.0/16"),)
    service_cidrs: tuple[Network, ...] = (IPv4Network("10.96.0.0/12"),)
    storage_class: Text = "local-storage"
    packages: Literal["bundle", "apt"] = "bundle"
    bundle: Text | None = None
    repositories: tuple[Repository, ...] = ()
    containerd: Containerd = Containerd()
    registries: tuple[Registry, ...] = ()
    images: dict[ImageName, Reference] = {}
    proxy_mode: Literal["nftables", "iptables"] = "nftables"
    runtime: Runtime = Runtime()
    cgroup_v1: bool = False
    accepted_errors: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _one_push(self) -> Kubernetes:
        if len(taking := [registry.registry for registry in self.registries if registry.push]) > 1:
            raise ValueError(f"`push` stands at {' and '.join(taking)}: derived images are pushed to one registry")
        return self

    @property
    def dns_address(self) -> Address:
        """The address of the cluster's own name server: kubeadm gives it the tenth of the first range of Services."""
        return self.service_cidrs[0][10]


class Proxy(Declared):
    """The organisation's way to the internet; hosts, networks and names of the site are exempt by themselves."""

    http: Text | None = None
    https: Text | None = None
    exempt: tuple[Text, ...] = ()


class Servers(Declared):
    """
    How every server's operating system is set up.

    `time_options` are chronyd's own. `mirror` replaces Debian's archive: its URL, or lines of sources.list.
    `trusted_ca` are PEM files relative to the site's folder. `reserved_ports` are kept from being handed out as local
    ports (`8443` or `49152-65535`). `administrators` are the users who may become root by sudo.
    """

    time_options: tuple[Text, ...] = ()
    proxy: Proxy | None = None
    mirror: Text | None = None
    trusted_ca: tuple[Text, ...] = ()
    reserved_ports: tuple[Text, ...] = ()
    administrators: tuple[UserName, ...] = ()


class ObjectStorage(Declared):
    """
    Where media lie: servers of our own, or the organisation's S3 endpoint.

    `endpoint` is the URL of an `external` one, `ca` the PEM file of its authority relative to the site's folder.
    """

    provider: Literal["seaweedfs", "minio", "external"] = "seaweedfs"
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = "synapse-media"
    region: Text = "us-east-1"
    endpoint: Text | None = None
    ca: Text | None = None


class Ingress(Declared):
    """The ingress controller, and the IngressClass that the site's Ingress objects name."""

    controller: Literal["contour", "organisation"] = "contour"
    class_name: Name = "contour"


class Features(Declared):
    """
    Optional parts. What is off is proven closed like everything else that no row opens.

    `autoscaling`: load decides how many processes Synapse's pools have that keep nothing to themselves, by the metrics
    API, which comes with it.
    """

    turn: bool = True
    turn_dtls: bool = False
    livekit: bool = True
    livekit_rtc: Literal["udp_port", "port_range"] = "udp_port"
    element_call: bool = True
    li: bool = True
    antivirus: bool = True
    monitoring: bool = True
    alertmanager: bool = False
    node_exporter: bool = True
    push_notifications: bool = False
    smtp: bool = False
    element_web: bool = True
    admin_ui: bool = True
    autoscaling: bool = False
    metrics_from_control_plane: bool = True


class Li(Declared):
    """How lawful intercept is reached and by whom."""

    access: Literal["vpn", "physical", "other"] = "vpn"
    access_note: str = ""
    ingress: tuple[Address, ...] = ()
    clients: tuple[Network, ...] = ()


class Perimeter(Declared):
    """The organisation's firewall device: whose rules are read as evidence, and who answers for it."""

    device: Name | None = None
    platform: Literal["nftables", "cisco_iosxe", "juniper_junos", "none"] = "none"
    contact: str = ""


class Waiver(Declared):
    """
    A finding somebody answers for until a date.

    `id` is the finding's or rule's name, for a cell its culprit, a row or `port`; `host` a host, or
    `from->to:port/protocol`, where `*` stands for any part.
    """

    id: Text
    host: Text = "*"
    reason: Text
    owner: Text
    expires: date


class SignedOff(Declared):
    """
    A tick by a person for an item of the checklist that no program can judge; `evidence` says where it can be looked
    up.
    """

    item: Text
    who: Text
    when: date
    evidence: Text
    expires: date | None = None


class Compliance(Declared):
    """
    How the checklist is kept.

    A proof of the ports counts for `proof_hours`; certificates must hold for `certificate_days`, file systems keep
    `free_percent` free and lists of packages be no older than `list_days`. Of the runs, `keep_runs` stay. `textfile` is
    where Prometheus's node exporter reads the result, relative to the site's folder. `schedule`: it runs by itself;
    `notify` are told when something changes.
    """

    proof_hours: int = Field(default=168, ge=1)
    certificate_days: int = Field(default=30, ge=1)
    free_percent: int = Field(default=10, ge=1, le=99)
    list_days: int = Field(default=7, ge=1)
    keep_runs: int = Field(default=90, ge=1)
    textfile: Text | None = None
    schedule: Schedule | None = None
    notify: tuple[Tell, ...] = ()


class Settings(Declared):
    """`site.yaml`."""

    name: Name
    domain: Domain
    concurrent_users: int = Field(ge=1, le=1_000_000)
    size: SiteSize = "auto"
    federation: bool = False
    egress: Literal["open", "closed"] = "open"
    organisation_contact: str = ""
    networks: dict[Name, NetworkPlan] = Field(min_length=1)
    management: tuple[Network, ...] = Field(min_length=1)
    internet: tuple[Network, ...] = WORLD
    clients: tuple[Network, ...] = WORLD
    admins: tuple[Network, ...] = ()
    external: dict[Name, External] = {}
    dns: Dns = Dns()
    ntp: tuple[Address, ...] = ()
    tls: Tls = Tls()
    cni: Cni = Cni()
    kubernetes: Kubernetes
    servers: Servers = Servers()
    features: Features = Features()
    li: Li = Li()
    perimeter: Perimeter = Perimeter()
    waivers: tuple[Waiver, ...] = ()
    object_storage: ObjectStorage = ObjectStorage()
    ingress: Ingress = Ingress()
    mail: MailServer = MailServer()
    push: PushGateway = PushGateway()
    federation_partners: FederationPartners = FederationPartners()
    secrets: SecretKeeping = SecretKeeping()
    compliance: Compliance = Compliance()
    signed_off: tuple[SignedOff, ...] = ()

    @property
    def active(self) -> frozenset[str]:
        """The words a row's `when.feature` may name and that hold here."""
        on = {name for name, value in self.features.model_dump().items() if value is True}
        if self.features.livekit:
            on.add(f"livekit_{self.features.livekit_rtc}")
        if self.federation:
            on.add("federation")
        if self.features.smtp and self.mail.login:
            on.add("smtp_login")
        on |= self._push_words
        on.add(f"endpoint_{self.kubernetes.endpoint.provider}")
        on.add(f"object_storage_{self.object_storage.provider}")
        if self.object_storage.provider != "external":
            on.add("object_storage_own")
        on.add(f"ingress_{self.ingress.controller}")
        on.add(f"tls_{self.tls.method.replace('-', '_')}")
        if {self.tls.method, self.tls.li_method} & ACME:
            on.add("acme")
        if self.features.li and self.dns.li:
            on.add("li_dns")
        if self.features.li and self.ntp:
            on.add("li_ntp")
        return frozenset(on)

    @property
    def _push_words(self) -> frozenset[str]:
        """The words of a push gateway of the site's own: whose apps it has."""
        own = {"push_apns": self.push.apns, "push_firebase": self.push.firebase}
        here = frozenset(word for word, app in own.items() if app is not None and self.features.push_notifications)
        return here | {"push_gateway"} if here else here
