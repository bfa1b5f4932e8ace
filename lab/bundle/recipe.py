"""What is in the lab's bundle. Versions of Go modules stand in their go.mod; everything else is said here."""

from __future__ import annotations

from dataclasses import dataclass

from lab.bundle import application
from lab.bundle.extras import EXTRAS, Extra
from lab.bundle.ingredients import (
    Binary,
    Chart,
    GoComponent,
    ImageRecipe,
    ManifestRecipe,
    ProgramRecipe,
    Started,
    Tools,
)

DEFAULT = "1.36"
SUITE = "bookworm"

# What the operating-system phase may install on a server; apt adds what a bare one lacks of their dependencies.
PACKAGES = (
    "ufw", "python3", "sudo", "iptables", "nftables", "conntrack", "socat", "ethtool", "ebtables", "kmod", "procps",
    "runc", "haproxy", "keepalived", "chrony", "unattended-upgrades", "ca-certificates", "iproute2", "e2fsprogs",
    "xfsprogs",
)  # fmt: skip

_NETFILTER = ("iptables", "ip6tables")
_XTABLES = tuple(f"usr/sbin/{tool}{verb}" for tool in _NETFILTER for verb in ("", "-save", "-restore"))


# busybox's links are its own list of what it can do.
TOOLS = (
    Tools(
        "netfilter",
        ("iptables", "nftables", "conntrack"),
        ("usr/sbin/xtables-nft-multi", "usr/sbin/nft", "usr/sbin/conntrack", "usr/lib/x86_64-linux-gnu/xtables/*.so"),
        dict.fromkeys(_XTABLES, "xtables-nft-multi"),
    ),
    Tools("busybox", ("busybox",), ("usr/bin/busybox",)),
    *application.TOOLS,
)

_VERSION_VARIABLES = {
    "gitVersion": "v{version}",
    "gitMajor": "{major}",
    "gitMinor": "{minor}",
    "gitTreeState": "clean",
    "gitCommit": "0" * 40,
}
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
_PLUGINS = "github.com/containernetworking/plugins"
_FLANNEL = "github.com/flannel-io/flannel"
_CONTAINERD = "github.com/containerd/containerd/v2"


@dataclass(frozen=True, slots=True)
class BundleRecipe:
    """
    One bundle; kubeadm expects exactly these versions of etcd, CoreDNS and pause.

    `extras` are names of `EXTRAS`, sorted; they are parts of the application, so that none goes without it.
    """

    minor: str
    etcd: str
    coredns: str
    pause: str = "3.10.2"
    suite: str = SUITE
    application: bool = True
    extras: tuple[str, ...] = ()

    @property
    def kubernetes(self) -> str:
        """Folder of the component that gives the bundle its version."""
        return f"kubernetes-{self.minor}"

    @property
    def components(self) -> tuple[GoComponent, ...]:
        """Everything compiled from Go modules."""
        stamps = {
            f"{package}.{name}": value for package in _VERSION_PACKAGES for name, value in _VERSION_VARIABLES.items()
        }
        return (
            GoComponent(self.kubernetes, "k8s.io/kubernetes", stamps),
            GoComponent(self.etcd, "go.etcd.io/etcd/server/v3"),
            GoComponent(self.coredns, "github.com/coredns/coredns"),
            GoComponent("containerd", _CONTAINERD, {f"{_CONTAINERD}/version.Version": "{version}"}),
            GoComponent("cni-plugins", _PLUGINS, {f"{_PLUGINS}/pkg/utils/buildversion.BuildVersion": "v{version}"}),
            # Its UDP backend is C, compiled in whether used or not.
            GoComponent("flannel", _FLANNEL, {f"{_FLANNEL}/pkg/version.Version": "v{version}"}, cgo=True),
            GoComponent(
                "local-path-provisioner", "github.com/rancher/local-path-provisioner", {"main.VERSION": "v{version}"}
            ),
            *(component for component in application.COMPONENTS if component.folder in self._compiled),
            *(component for extra in self._chosen for component in extra.components),
        )

    @property
    def binaries(self) -> tuple[Binary, ...]:
        """Every program that runs on hosts."""
        plugins = ("bandwidth", "bridge", "host-local", "loopback", "portmap")
        runtime = ("containerd", "containerd-shim-runc-v2", "ctr")
        return (
            *(Binary(_local(self.kubernetes, name)) for name in ("kubeadm", "kubectl", "kubelet")),
            *(Binary(_local("containerd", name)) for name in runtime),
            *(Binary(_local(self.etcd, name), "control_plane") for name in ("etcdctl", "etcdutl")),
            *(Binary(ProgramRecipe("cni-plugins", name, f"opt/cni/bin/{name}")) for name in plugins),
        )

    @property
    def images(self) -> tuple[ImageRecipe, ...]:
        """Every container image."""
        masters = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
        server = ProgramRecipe(self.etcd, "server", "usr/local/bin/etcd")
        flannel = ProgramRecipe("flannel", "flannel", "opt/bin/flanneld")
        proxy = _local(self.kubernetes, "kube-proxy")
        path = _local("local-path-provisioner", "local-path-provisioner")
        return (
            *(
                ImageRecipe(
                    name=f"registry.k8s.io/{name}",
                    tag="v{version}",
                    needed="control_plane",
                    programs=(_local(self.kubernetes, name),),
                )
                for name in masters
            ),
            ImageRecipe(
                name="registry.k8s.io/kube-proxy",
                tag="v{version}",
                needed="nodes",
                programs=(proxy,),
                tools=("netfilter",),
            ),
            ImageRecipe(
                name="registry.k8s.io/etcd",
                tag="{version}-0",
                needed="control_plane",
                programs=(server, _local(self.etcd, "etcdctl"), _local(self.etcd, "etcdutl")),
            ),
            ImageRecipe(
                name="registry.k8s.io/coredns/coredns",
                tag="v{version}",
                needed="nodes",
                programs=(ProgramRecipe(self.coredns, "coredns", "coredns"),),
                started=Started(("/coredns",)),
            ),
            ImageRecipe(
                name="registry.k8s.io/pause",
                tag=self.pause,
                needed="nodes",
                programs=(PAUSE,),
                started=Started(("/pause",), user="65535:65535"),
                bare=True,
            ),
            ImageRecipe(
                name="ghcr.io/flannel-io/flannel",
                tag="v{version}",
                needed="nodes",
                programs=(flannel,),
                tools=("netfilter",),
                started=Started(("/opt/bin/flanneld",)),
            ),
            ImageRecipe(
                name="docker.io/rancher/local-path-provisioner", tag="v{version}", needed="nodes", programs=(path,)
            ),
            ImageRecipe(name="docker.io/library/busybox", tag="{version}", needed="nodes", tools=("busybox",)),
            *self._of_application,
            *(image for extra in self._chosen for image in extra.images),
        )

    @property
    def tools(self) -> tuple[Tools, ...]:
        """Debian's programs that the images hold."""
        used = {name for image in self.images for name in image.tools}
        return tuple(tools for tools in TOOLS if tools.name in used)

    @property
    def manifests(self) -> tuple[ManifestRecipe, ...]:
        """Publishers' own manifests."""
        return application.MANIFESTS if self.application else ()

    @property
    def charts(self) -> tuple[tuple[str, GoComponent, Chart], ...]:
        """Manifests that are rendered from a chart: name, component and chart."""
        found = {component.folder: component for component in self.components}
        return tuple((item.name, found[item.component], item.chart) for item in self.manifests if item.chart)

    @property
    def _chosen(self) -> tuple[Extra, ...]:
        return tuple(EXTRAS[name] for name in self.extras)

    @property
    def _of_application(self) -> tuple[ImageRecipe, ...]:
        return tuple(image for image in application.IMAGES if self.application or image.needed != "application")

    @property
    def _compiled(self) -> frozenset[str]:
        return frozenset(program.component for image in self._of_application for program in image.programs)


def _local(component: str, name: str) -> ProgramRecipe:
    return ProgramRecipe(component, name, f"usr/local/bin/{name}")


PAUSE = ProgramRecipe("pause", "pause", "pause")

RECIPES = {
    "1.36": BundleRecipe("1.36", etcd="etcd-3.6", coredns="coredns-1.14.2"),
    "1.37": BundleRecipe("1.37", etcd="etcd-3.7", coredns="coredns-1.14.6"),
}
