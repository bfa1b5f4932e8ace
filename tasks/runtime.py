"""What should a node hold so that containers and kubelet can run on it?"""

from __future__ import annotations

from model.hoststate import File, HostState, Unit
from model.site import Site
from tasks.operating_system import exempt
from tasks.render import render

BINARIES = "/usr/local/bin"


def desired(site: Site, pause: str) -> HostState:
    """
    Return the container runtime's and kubelet's state. `pause` is the sandbox image's reference.

    kubelet is enabled and not started: kubeadm starts it once there is something to read.
    """
    kubernetes = site.settings.kubernetes
    bundled = kubernetes.packages == "bundle"
    runtime = kubernetes.runtime
    config = render("node/containerd.toml", pause=pause, runtime=runtime)
    files = [File("/etc/containerd/config.toml", config, restart=("containerd.service",))]
    if bundled:
        unit = render("node/containerd.service", binary=f"{BINARIES}/containerd", runtime=runtime)
        files.append(File("/etc/systemd/system/containerd.service", unit, restart=("containerd.service",)))
        kubelet = render("node/kubelet.service", binary=f"{BINARIES}/kubelet")
        files.append(File("/etc/systemd/system/kubelet.service", kubelet))
    proxy = site.settings.servers.proxy
    if proxy is not None:
        pairs = (("HTTP_PROXY", proxy.http), ("HTTPS_PROXY", proxy.https), ("NO_PROXY", exempt(site)))
        lines = "".join(f'Environment="{name}={value}"\n' for name, value in pairs if value)
        path = "/etc/systemd/system/containerd.service.d/matrix-fleet-proxy.conf"
        files.append(File(path, f"[Service]\n{lines}", restart=("containerd.service",)))
    return HostState(
        packages=("runc",) if bundled else ("containerd", "kubelet", "kubeadm", "kubectl"),
        files=tuple(files),
        units=(Unit("containerd.service"), Unit("kubelet.service", active=None)),
        held=() if bundled else ("containerd", "kubelet", "kubeadm", "kubectl"),
    )
