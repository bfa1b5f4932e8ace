"""A host's disk: what is on it before the first boot, and how it is mounted."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.instance import Instance
from lab.mounts import mounted_below, overlay, unmount_below
from lab.recipe import DEPLOY_UID, RootKind
from lab.roots import Root
from lab.topology import NETWORKS, ROUTER_NUMBER, LabHost

_NSPAWN = Path("/run/systemd/nspawn")


@dataclass(frozen=True, slots=True)
class HostDisk:
    """A host's folders: `upper` is what it wrote, `root` where the whole is mounted."""

    folder: Path

    @property
    def upper(self) -> Path:
        """What differs from the root's layers."""
        return self.folder / "upper"

    @property
    def root(self) -> Path:
        """The mounted whole."""
        return self.folder / "root"

    @property
    def data(self) -> Path:
        """The host's folders that lie on no overlay."""
        return self.folder / "data"

    @property
    def console(self) -> Path:
        """What the host printed while it booted."""
        return self.folder / "console.log"


def disk_of(instance: Instance, host: str) -> HostDisk:
    """Return the folders of a host's disk."""
    return HostDisk(instance.hosts / host)


def create(
    instance: Instance,
    host: LabHost,
    accounts: Sequence[str],
    files: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
) -> None:
    """
    Write a new disk: the host's identity, its key, the deployer's for these accounts, and more files and links by path.

    It takes its name when it is whole: a command that was killed leaves no half-written disk.
    """
    disk = disk_of(instance, host.name)
    shutil.rmtree(disk.folder, ignore_errors=True)
    draft = disk.folder / "draft"
    for folder in (draft, disk.root):
        folder.mkdir(parents=True)
    for name, text in {**_identity(host), **(files or {})}.items():
        _write(draft / name, text)
    for name, target in (links or {}).items():
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        (draft / name).symlink_to(target)
    _host_key(instance, host.name, draft)
    _logins(instance, draft, accounts)
    draft.rename(disk.upper)


def _identity(host: LabHost) -> dict[str, str]:
    gateway = NETWORKS[host.legs[0].network].at(ROUTER_NUMBER)
    own = "".join(f"{address} {host.name}\n" for address in host.legs[0].addresses)
    return {
        "etc/hostname": f"{host.name}\n",
        "etc/machine-id": f"{uuid.uuid4().hex}\n",
        "etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n{own}",
        "etc/resolv.conf": f"nameserver {gateway[0]}\nnameserver {gateway[1]}\noptions timeout:1 attempts:2\n",
    }


def _host_key(instance: Instance, host: str, draft: Path) -> None:
    for suffix, mode in (("", 0o600), (".pub", 0o644)):
        target = draft / f"etc/ssh/ssh_host_ed25519_key{suffix}"
        _write(target, (instance.keys / f"{host}{suffix}").read_text("utf-8"), mode)


def _logins(instance: Instance, draft: Path, accounts: Sequence[str]) -> None:
    key = instance.key.with_suffix(".pub").read_text("utf-8")
    for account in accounts:
        home = draft / ("root" if account == "root" else f"home/{account}")
        owner = 0 if account == "root" else DEPLOY_UID
        _write(home / ".ssh/authorized_keys", key, 0o600)
        for path in (home, home / ".ssh", home / ".ssh/authorized_keys"):
            os.chown(path, owner, owner)
        home.chmod(0o700)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)


def mount(instance: Instance, host: str, root: Root, kind: RootKind) -> Path:
    """Mount a host's disk over the layers of its kind and return where."""
    disk = disk_of(instance, host)
    unmount(instance, host)
    workdir = disk.folder / "work"
    shutil.rmtree(workdir, ignore_errors=True)
    workdir.mkdir()
    overlay(root.layer(kind), disk.upper, workdir, disk.root)
    return disk.root


def unmount(instance: Instance, host: str) -> None:
    """Unmount a host's disk if it is mounted; what is written on it stays."""
    root = disk_of(instance, host).root
    if mounted_below(root):
        _traces(instance, host, root)
        unmount_below(root)


def _traces(instance: Instance, host: str, root: Path) -> None:
    """Remove what systemd-nspawn only clears away when it ends by itself."""
    identity = root.stat()
    (_NSPAWN / "locks" / f"inode-{identity.st_dev}:{identity.st_ino}").unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (_NSPAWN / "propagate" / instance.namespace(host)).rmdir()
