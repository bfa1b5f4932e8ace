"""
The packages that nodes are installed from by apt, made of a bundle's own programs as their publishers lay them out.
"""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.bundle.bundle import Bundle

REVISION = "-1.1"
# As the package enables its unit and starts it, long before there is anything to read.
_STARTED = "#!/bin/sh\nsystemctl daemon-reload\nsystemctl enable {unit}\nsystemctl --no-block restart {unit}\n"
_KUBELET = """\
[Unit]
Description=kubelet
[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10
[Install]
WantedBy=multi-user.target
"""
_OF_KUBEADM = """\
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \\
  --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""
# What it may ask of the kernel is what a host of the lab has.
_CONTAINERD = """\
[Unit]
Description=containerd container runtime
After=network.target
[Service]
ExecStart=/usr/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
[Install]
WantedBy=multi-user.target
"""
_UNITS = "usr/lib/systemd/system"


@dataclass(frozen=True)
class Deb:
    """A package: texts and programs by path, both without the leading slash."""

    name: str
    version: str
    texts: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, Path] = field(default_factory=dict)
    depends: str = ""
    conflicts: str = ""
    configuration: Sequence[str] = ()
    started: str = ""

    def write(self, folder: Path) -> None:
        """Write it into a folder, hardly compressed: it is read once."""
        root = folder / f".{self.name}"
        for path, text in self.texts.items():
            _at(root / path).write_text(text, "utf-8")
        for path, source in self.programs.items():
            _unpacked(source, _at(root / path))
        _at(root / "DEBIAN/control").write_text(self._control(), "utf-8")
        if self.configuration:
            (root / "DEBIAN/conffiles").write_text("".join(f"/{path}\n" for path in self.configuration), "utf-8")
        if self.started:
            script = root / "DEBIAN/postinst"
            script.write_text(_STARTED.format(unit=self.started), "utf-8")
            script.chmod(0o755)
        file = folder / f"{self.name}_{self.version}_amd64.deb"
        argv = ("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(root), str(file))
        subprocess.run(argv, check=True, capture_output=True, timeout=120)
        shutil.rmtree(root)

    def _control(self) -> str:
        fields = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": "amd64",
            "Maintainer": "matrix-fleet test <test@example.test>",
            "Depends": self.depends,
            "Conflicts": self.conflicts,
            "Replaces": self.conflicts,
            "Description": "made for a test",
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def _at(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _unpacked(source: Path, target: Path) -> None:
    with gzip.open(source, "rb") if source.suffix == ".gz" else source.open("rb") as packed, target.open("wb") as plain:
        shutil.copyfileobj(packed, plain, 2**20)
    target.chmod(0o755)


def debs(bundle: Bundle, folder: Path, runc: Path) -> tuple[Deb, ...]:
    """
    Return the packages of a bundle's version, and a kubelet, kubeadm and kubectl that are newer and must not be taken.
    """
    version = f"{bundle.kubernetes}{REVISION}"
    plugins = {item.target.lstrip("/"): folder / item.file for item in bundle.binaries if "/cni/" in item.target}

    def program(name: str) -> dict[str, Path]:
        return {f"usr/bin/{name}": folder / bundle.binary(name).file}

    runtime = {
        path: file for name in ("containerd", "containerd-shim-runc-v2", "ctr") for path, file in program(name).items()
    }
    units = {f"{_UNITS}/kubelet.service": _KUBELET, "etc/kubernetes/manifests/.keep": ""}
    dropin = f"{_UNITS}/kubelet.service.d/10-kubeadm.conf"
    own = {f"{_UNITS}/containerd.service": _CONTAINERD, "etc/containerd/config.toml": 'disabled_plugins = ["cri"]\n'}
    containerd = f"{bundle.binary('containerd').version}-1~debian.12~bookworm"
    return (
        Deb(
            "kubelet",
            version,
            texts=units,
            programs=program("kubelet"),
            depends="kubernetes-cni (>= 1.2.0)",
            started="kubelet.service",
        ),
        Deb(
            "kubeadm",
            version,
            texts={dropin: _OF_KUBEADM},
            programs=program("kubeadm"),
            depends="kubelet, kubectl, kubernetes-cni, cri-tools",
        ),
        Deb("kubectl", version, texts={}, programs=program("kubectl")),
        Deb("kubernetes-cni", f"1.9.1{REVISION}", texts={}, programs=plugins),
        Deb("cri-tools", f"1.36.0{REVISION}", texts={"usr/share/doc/cri-tools/none": "no crictl is built here\n"}),
        Deb(
            "containerd.io",
            containerd,
            texts=own,
            programs={**runtime, "usr/bin/runc": runc},
            depends="libseccomp2",
            conflicts="containerd, runc",
            configuration=("etc/containerd/config.toml",),
            started="containerd.service",
        ),
        Deb("containerd.io", "1.7.28-1~debian.12~bookworm"),
        *(Deb(name, f"1.99.0{REVISION}") for name in ("kubelet", "kubeadm", "kubectl")),
    )
