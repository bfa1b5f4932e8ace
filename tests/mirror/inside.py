"""
Those of an organisation that keeps everything inside: they run on the lab's router, on ports that its own firewall
admits.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.instance import Instance
from model.bundle.bundle import load_bundle
from model.checkout import ROOT
from tests.lab.driver import Lab
from tests.mirror.debs import debs
from tests.mirror.repository import index
from tests.openpgp import Keyring
from tests.remote.authority import Authority

# The router's legs in the management and in the LI network: its packet filter lets every server to port 80 of either.
_PACKAGES, _IMAGES, _PORT = "10.20.0.1", "10.20.2.1", 80
_REGISTRIES = ("registry.k8s.io", "ghcr.io")


@dataclass(frozen=True)
class Inside:
    """The servers' folder, with `packages.log` and `images.log`, and their bundle's version of Kubernetes."""

    folder: Path
    version: str

    def requests(self, which: str) -> list[str]:
        """Return the lines that `packages` or `images` wrote, one a request."""
        return (self.folder / f"{which}.log").read_text("utf-8").splitlines()


@contextmanager
def inside(lab: Lab, bundle: Path, folder: Path) -> Iterator[Inside]:
    """Serve a bundle's programs as packages and its images in a lab that is up, and let its site name them."""
    version = prepare(bundle, folder)
    router = Instance(lab.name).namespace_path("router-1")
    certificate, key = (str(folder / f"server.{word}") for word in ("crt", "key"))
    images = ("--bundle", str(bundle), "--certificate", certificate, "--key", key)
    with (
        _serving(router, folder, "packages", _PACKAGES, ("--files", str(folder / "www"))),
        _serving(router, folder, "images", _IMAGES, images),
    ):
        site(lab.inventory, folder, version)
        yield Inside(folder, version)


def prepare(bundle: Path, folder: Path) -> str:
    """Write repositories, a key and certificates into a folder; return the version of Kubernetes."""
    table = load_bundle(bundle)
    kubernetes, debian = folder / "www/kubernetes", folder / "www/debian"
    for path in (kubernetes, debian):
        path.mkdir(parents=True)
    for item in table.packages("bookworm"):
        (debian / item.file.rpartition("/")[2]).symlink_to(bundle / item.file)
    runc = next(debian.glob("runc_*.deb"))
    subprocess.run(("dpkg-deb", "--extract", runc, folder / "runc"), check=True, timeout=60)
    for deb in debs(table, bundle, folder / "runc/usr/sbin/runc"):
        deb.write(kubernetes)
    keyring = Keyring(folder / "gpg")
    index(kubernetes, keyring)
    index(debian, None)
    # In binary, as some publishers hand it out.
    (folder / "kubernetes.gpg").write_bytes(keyring.export())
    keyring.close()
    authority = Authority(folder)
    authority.issue("server", "registry", _IMAGES)
    authority.path.rename(folder / "registry-ca.pem")
    return table.kubernetes


def site(inventory: Path, folder: Path, version: str) -> None:
    """Let a site install its nodes from there."""
    for name in ("kubernetes.gpg", "registry-ca.pem"):
        (inventory / name).write_bytes((folder / name).read_bytes())
    path = inventory / "site.yaml"
    settings: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    mirror = {"mirrors": [f"https://{_IMAGES}:{_PORT}"], "ca": "registry-ca.pem"}
    settings["kubernetes"] |= {
        "version": version,
        "packages": "apt",
        "bundle": None,
        "repositories": [
            {
                "name": "kubernetes",
                "uri": f"http://{_PACKAGES}:{_PORT}/kubernetes/",
                "suite": "/",
                "key": "kubernetes.gpg",
            }
        ],
        "registries": [{"registry": name, **mirror} for name in _REGISTRIES],
    }
    settings["servers"] |= {"mirror": f"deb [trusted=yes] http://{_PACKAGES}:{_PORT}/debian/ /"}
    path.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")


@contextmanager
def _serving(namespace: Path, folder: Path, name: str, address: str, words: Sequence[str]) -> Iterator[None]:
    server = (sys.executable, "-m", "tests.mirror.server", address, str(_PORT), *words)
    with (folder / f"{name}.log").open("wb") as log:
        argv = ("nsenter", f"--net={namespace}", "--", *server)
        with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=log) as process:
            assert process.stdout is not None
            try:
                assert process.stdout.readline() == b"ready\n", (folder / f"{name}.log").read_text("utf-8")
                yield
            finally:
                process.kill()
