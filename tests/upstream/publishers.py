"""Everything that a bundle is made of, tiny, on a server of loopback, and a file of sources that names it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from model.bundle.audit import PACKAGES
from tests.upstream import archive
from tests.upstream.web import Web, serving, sha256

VERSION = "1.36.3"
IMAGES = {
    "registry.test/kube-apiserver": f"v{VERSION}",
    "registry.test/kube-controller-manager": f"v{VERSION}",
    "registry.test/kube-scheduler": f"v{VERSION}",
    "registry.test/kube-proxy": f"v{VERSION}",
    "registry.test/etcd": "3.6.8-0",
    "registry.test/coredns/coredns": "v1.14.2",
    "registry.test/pause": "3.10.2",
}
KUBEADM = "\n".join(["#!/bin/sh", *(f"echo {name}:{tag}" for name, tag in IMAGES.items())]) + "\n"
CALICO = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system}
spec:
  template:
    spec:
      initContainers: [{name: install-cni, image: "registry.test/calico/cni:v3.31.7"}]
      containers: [{name: calico-node, image: "registry.test/calico/node:v3.31.7"}]
"""
TOOLS = {
    "containerd": ("bin/containerd", "bin/containerd-shim-runc-v2", "bin/ctr"),
    "cni-plugins": ("bandwidth", "bridge", "host-local", "loopback", "portmap"),
    "etcd": ("etcd-v3.6.8/etcdctl", "etcd-v3.6.8/etcdutl"),
}


@dataclass(frozen=True)
class Publishers:
    """The server, what it is asked for, and the folder with its sources, keyring and Debian packages."""

    web: Web
    folder: Path
    signer: archive.Signer

    @property
    def sources(self) -> Path:
        return self.folder / "sources.yaml"

    def change(self, **fields: Any) -> None:
        """Write the sources anew with other values."""
        sources = yaml.safe_load(self.sources.read_text())
        self.sources.write_text(yaml.safe_dump(sources | fields))

    def sign(self, suite: str = "bookworm", **release: Any) -> None:
        """Sign the suite's list as it is served."""
        listing = self.web.files[f"/debian/dists/{suite}/main/binary-amd64/Packages"]
        signed = self.signer.clearsign(archive.release(listing, suite, **release))
        self.web.put(f"/debian/dists/{suite}/InRelease", signed)


def tarball(members: dict[str, bytes]) -> bytes:
    """Return a compressed archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


@contextmanager
def publishing(folder: Path, debian: Path, signer: archive.Signer) -> Iterator[Publishers]:
    """Serve everything; `debian` is a folder that `archive.packages` filled."""
    with without_debian(folder, signer) as publishers:
        archive.publish(publishers.web, debian, "bookworm", b"")
        publishers.sign()
        yield publishers


@contextmanager
def without_debian(folder: Path, signer: archive.Signer) -> Iterator[Publishers]:
    """Serve everything but Debian's packages; the signer needs no key."""
    with serving() as web:
        _programs(web)
        for name, tag in {**IMAGES, "registry.test/flannel": "v0.26.7"}.items():
            web.image(name.partition("/")[2], tag)
        for name in ("node", "cni"):
            web.image(f"calico/{name}", "v3.31.7")
        web.put("/calico-v3.31.7.yaml", CALICO.encode())
        (folder / "sources.yaml").write_text(yaml.safe_dump(_sources(web, signer)))
        yield Publishers(web, folder, signer)


def _programs(web: Web) -> None:
    for name in ("kubeadm", "kubectl", "kubelet"):
        data = KUBEADM.encode() if name == "kubeadm" else f"{name} of tests".encode() * 5000
        web.put(f"/v{VERSION}/amd64/{name}", data)
        web.put(f"/v{VERSION}/amd64/{name}.sha256", sha256(data).encode())
    for name, members in TOOLS.items():
        data = tarball({member: f"{member} of tests".encode() * 500 for member in (*members, "README")})
        web.put(f"/{name}-amd64.tar.gz", data)
        web.put(
            f"/{name}-amd64.tar.gz.sha256sum",
            f"{'0' * 64}  other.tar.gz\n{sha256(data)} *{name}-amd64.tar.gz\n".encode(),
        )


def _sources(web: Web, signer: archive.Signer) -> dict[str, Any]:
    versions = {"kubernetes": VERSION, "etcd": "3.6.8", "coredns": "1.14.2", "pause": "3.10.2", "calico": "3.31.7"}
    versions |= {"containerd": "2.4.2", "cni-plugins": "1.9.1", "flannel": "0.26.7"}
    files: list[dict[str, Any]] = [
        {
            "component": "kubernetes",
            "address": f"{web.address}/v{{version}}/{{architecture}}/{name}",
            "checksum": f"{web.address}/v{{version}}/{{architecture}}/{name}.sha256",
            "programs": [{"target": f"/usr/local/bin/{name}"}],
        }
        for name in ("kubeadm", "kubectl", "kubelet")
    ]
    for name, members in TOOLS.items():
        place = "/opt/cni/bin" if name == "cni-plugins" else "/usr/local/bin"
        address = f"{web.address}/{name}-{{architecture}}.tar.gz"
        programs = [{"member": member, "target": f"{place}/{member.rpartition('/')[2]}"} for member in members]
        files.append({"component": name, "address": address, "checksum": f"{address}.sha256sum", "programs": programs})
    tags = {"etcd": "{version}-0", "pause": "{version}"}
    images: list[dict[str, Any]] = []
    for name in IMAGES:
        word = name.rpartition("/")[2]
        component = word if word in versions else "kubernetes"
        images.append({"name": name, "component": component, "tag": tags.get(word, "v{version}")})
    images.append({"name": "registry.test/flannel", "component": "flannel", "tag": "v{version}", "network": "flannel"})
    calico = {
        "name": "calico",
        "component": "calico",
        "address": f"{web.address}/calico-v{{version}}.yaml",
        "network": "calico",
    }
    suites = {"bookworm": [{"address": f"{web.address}/debian", "suite": "bookworm"}]}
    return {
        "schema": "matrix-fleet/sources/1",
        "kubernetes": "1.36",
        "versions": {"1.36": versions},
        "files": files,
        "images": images,
        "manifests": [calico],
        "debian": {"keyring": str(signer.keyring), "packages": list(PACKAGES), "suites": suites},
        "plain_http": ["127.0.0.1"],
        "registries": {"registry.test": web.address},
    }
