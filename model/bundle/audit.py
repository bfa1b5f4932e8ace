"""What a bundle lacks or has too much of, down to what is inside its files."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from model.bundle.bundle import MANIFEST, Bundle, fault_of, missing_images
from model.bundle.items import BinaryItem, ImageItem, IndexItem, Item
from model.bundle.oci import IMAGE_NAME

PROGRAMS = (
    "kubeadm", "kubectl", "kubelet", "containerd", "containerd-shim-runc-v2", "ctr", "etcdctl", "etcdutl",
    "bridge", "host-local", "loopback", "portmap",
)  # fmt: skip
# kmod and ca-certificates are in every Debian that is more than a container.
PACKAGES = (
    "ufw", "python3", "sudo", "iptables", "nftables", "conntrack", "socat", "ethtool", "ebtables", "runc", "haproxy",
    "keepalived", "chrony",
)  # fmt: skip
_CHUNK = 2**20
_BROKEN = (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, KeyError, TypeError)


def fault_in(folder: Path, bundle: Bundle, item: Item) -> str:
    """Say what is wrong with one item's file, its content included; empty when nothing is."""
    fault = fault_of(folder, item)
    if fault:
        return fault.partition(": ")[2]
    path = folder / item.file
    try:
        if isinstance(item, BinaryItem):
            fault = _program(path, item)
        elif isinstance(item, ImageItem):
            fault = _image(path, item)
        elif isinstance(item, IndexItem):
            fault = _index(path, bundle, item)
        else:
            fault = ""
    except _BROKEN as error:
        fault = f"cannot be read: {error or type(error).__name__}"
    return f"{item.file} {fault}" if fault else ""


def lacking(bundle: Bundle) -> Iterator[str]:
    """Yield what bootstrap would need and the bundle lacks."""
    yield from missing_images(bundle)
    programs = {item.name for item in bundle.binaries}
    for name in PROGRAMS:
        if name not in programs:
            yield f"program {name} is missing: bootstrap installs it"
    for suite in bundle.suites:
        packages = {item.name for item in bundle.packages(suite)}
        for name in PACKAGES:
            if name not in packages:
                yield f"package {name} is missing for {suite}: bootstrap installs it"
        if "Packages" not in {item.name for item in bundle.index(suite)}:
            yield f"the list Packages is missing for {suite}: apt finds nothing without it"
    if not networks(bundle):
        yield "no pod network: neither the image flannel nor the manifest calico with its images"


def networks(bundle: Bundle) -> tuple[str, ...]:
    """Name the pod networks that the bundle is good for."""
    images = {item.name.rpartition("/")[2] for item in bundle.images}
    offered = [("flannel", "flannel" in images)]
    offered.append(("calico", any(item.name == "calico" for item in bundle.manifests) and {"node", "cni"} <= images))
    return tuple(name for name, present in offered if present)


def surplus(folder: Path, bundle: Bundle, ignored: str) -> Iterator[str]:
    """Yield files that the table does not name; the folder `ignored` is what a download leaves behind."""
    known = {MANIFEST, *(item.file for item in bundle.items)}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name.partition("/")[0] != ignored and name not in known and (path.is_symlink() or not path.is_dir()):
            yield name


def _program(path: Path, item: BinaryItem) -> str:
    digest, size = hashlib.sha256(), 0
    with gzip.open(path) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if size > item.content_size:
                break
    if (size, digest.hexdigest()) == (item.content_size, item.content_sha256):
        return ""
    return f"holds {size} bytes with sha256 {digest.hexdigest()}, not {item.content_size} with {item.content_sha256}"


def _image(path: Path, item: ImageItem) -> str:
    blobs, index = _read(path)
    (listed,) = index["manifests"]
    named = listed["annotations"][IMAGE_NAME]
    if named != item.reference:
        return f"holds the image {named}"
    if listed["digest"] != item.digest:
        return f"holds the digest {listed['digest']}, not {item.digest}"
    for name, (seen, _, _) in blobs.items():
        if seen != name:
            return f"has a part {name} whose sha256 is {seen}"
    _, size, content = blobs[item.digest.removeprefix("sha256:")]
    if size != listed["size"]:
        return f"has a manifest of {size} bytes, not {listed['size']}"
    manifest = json.loads(content)
    parts = (manifest["config"], *manifest["layers"])
    for part in parts:
        name = part["digest"].removeprefix("sha256:")
        if name not in blobs:
            return f"lacks the part {name}"
        if blobs[name][1] != part["size"]:
            return f"has a part {name} of {blobs[name][1]} bytes, not {part['size']}"
    known = {item.digest, *(part["digest"] for part in parts)}
    extra = sorted({f"sha256:{name}" for name in blobs} - known)
    return f"has a part {extra[0]} that the image does not name" if extra else ""


def _read(path: Path) -> tuple[dict[str, tuple[str, int, bytes]], dict[str, Any]]:
    """Return sha256, size and (of small ones) content of every blob by name, and the index."""
    blobs: dict[str, tuple[str, int, bytes]] = {}
    index: dict[str, Any] = {}
    with tarfile.open(path, "r:") as tar:
        for info in tar:
            stream = tar.extractfile(info) if info.isreg() else None
            if stream is None:
                continue
            if info.name == "index.json":
                index = json.loads(stream.read(_CHUNK))
            if info.name.startswith("blobs/sha256/"):
                digest, content = hashlib.sha256(), b""
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
                    content = chunk if info.size <= _CHUNK else b""
                blobs[info.name.rpartition("/")[2]] = (digest.hexdigest(), info.size, content)
    return blobs, index


def _index(path: Path, bundle: Bundle, item: IndexItem) -> str:
    opened: Callable[[Path], Any] = gzip.open if path.suffix == ".gz" else Path.open
    with opened(path) as stream:
        data = stream.read()
    text = data if isinstance(data, str) else data.decode("utf-8")
    listed = dict(_listed(text))
    present = {package.file.rpartition("/")[2]: package.sha256 for package in bundle.packages(item.suite)}
    for name in sorted({*listed, *present}):
        if listed.get(name) != present.get(name):
            where = (
                "does not list" if name not in listed else "lists, and the bundle lacks," if name not in present else ""
            )
            return f"{where} {name}" if where else f"lists {name} with sha256 {listed[name]}, not {present[name]}"
    return ""


def _listed(text: str) -> Iterator[tuple[str, str]]:
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(" "))
        if fields:
            yield fields["Filename"].removeprefix("./"), fields["SHA256"]
