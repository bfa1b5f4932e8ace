"""What a node should hold so that containers and kubelet can run on it."""

from __future__ import annotations

from model.host.hoststate import File, HostState, SystemdUnit
from model.site.site import Site
from tasks import registries, repositories
from tasks.images import CERTS
from tasks.operating_system import exempt
from tasks.render import render

BINARIES = "/usr/local/bin"
CONTAINERD, KUBELET = "containerd.service", "kubelet.service"


def desired(site: Site, pause: str, codename: str) -> HostState:
    """
    Return the container runtime's and kubelet's state. `pause` is the sandbox image's reference, `codename` the host's
    release.

    From a bundle come programs, and their units are ours; packages bring units of their own. kubelet is enabled and not
    started: kubeadm starts it once there is something to read. Raises `SiteError` for a file of the site that cannot be
    read.
    """
    kubernetes = site.settings.kubernetes
    bundled = kubernetes.packages == "bundle"
    certs = CERTS if kubernetes.registries or not bundled else ""
    config = render("node/containerd.toml", pause=pause, runtime=kubernetes.runtime, certs=certs)
    state = HostState(
        files=(File("/etc/containerd/config.toml", config, restart=(CONTAINERD,)), *_proxy(site)),
        units=(SystemdUnit(CONTAINERD), SystemdUnit(KUBELET, active=None)),
    )
    return state + registries.desired(site) + (_programs(site) if bundled else repositories.desired(site, codename))


def _programs(site: Site) -> HostState:
    runtime = site.settings.kubernetes.runtime
    unit = render("node/containerd.service", binary=f"{BINARIES}/containerd", runtime=runtime)
    kubelet = render("node/kubelet.service", binary=f"{BINARIES}/kubelet")
    return HostState(
        packages=("runc",),
        files=(
            File(f"/etc/systemd/system/{CONTAINERD}", unit, restart=(CONTAINERD,)),
            File(f"/etc/systemd/system/{KUBELET}", kubelet),
        ),
    )


def _proxy(site: Site) -> tuple[File, ...]:
    proxy = site.settings.servers.proxy
    if proxy is None:
        return ()
    pairs = (("HTTP_PROXY", proxy.http), ("HTTPS_PROXY", proxy.https), ("NO_PROXY", exempt(site)))
    lines = "".join(f'Environment="{name}={value}"\n' for name, value in pairs if value)
    path = f"/etc/systemd/system/{CONTAINERD}.d/matrix-fleet-proxy.conf"
    return (File(path, f"[Service]\n{lines}", restart=(CONTAINERD,)),)
