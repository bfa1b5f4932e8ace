"""The layers of a root: bare by debootstrap, the others over it by the Debian package manager."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

from lab.archive import MachineArchive, apt_settings
from lab.commands import call, logged
from lab.mounts import overlay, unmount_below
from lab.recipe import DEPLOY_UID, FILES, POLICY, REPOSITORY, Recipe
from lab.topology import MAIN, ROUTER_NUMBER

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def build(recipe: Recipe, draft: Path, source: MachineArchive, say: Callable[[str], None]) -> None:
    """
    Fill `draft` with the folders bare, full and router, and a log.

    The router's holds a package repository too: what `full` and `router` add to `bare`.
    """
    say("  bare layer: debootstrap")
    bare = draft / "bare"
    _write(bare, FILES)
    _bootstrap(recipe, bare, draft / "log", source)
    _trim(recipe, bare)
    repository = draft / "repository"
    repository.mkdir()
    say(f"  full layer: {', '.join(recipe.full)}")
    with layer(draft, "full", str(bare)) as root:
        opened(root, recipe.suite, source, draft / "log")
        _install(root, recipe.full, repository, draft / "log")
        _deployer(root, draft / "log")
        download(root, recipe.router, draft / "later", draft / "log")
    say(f"  router layer: {', '.join(recipe.router)}")
    with layer(draft, "router", f"{draft / 'full'}:{bare}") as root:
        _unpack(root, draft / "later", draft / "log")
        (root / REPOSITORY).mkdir()
    for package in (draft / "later").iterdir():
        package.rename(repository / package.name)
    _index(repository)
    repository.rename(draft / "router" / REPOSITORY)
    for used in ("later", "work"):
        shutil.rmtree(draft / used)


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")


def _bootstrap(recipe: Recipe, root: Path, log: Path, source: MachineArchive) -> None:
    include = ",".join(recipe.bare)
    argv = (
        "debootstrap",
        "--variant=minbase",
        f"--keyring={_KEYRING}",
        f"--include={include}",
        recipe.suite,
        str(root),
        source.mirror,
    )
    logged(argv, log, seconds=900, extra=source.environment)


def _trim(recipe: Recipe, root: Path) -> None:
    """Take away what each host must have of its own, and what only costs time at boot."""
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for archive in (root / "var/cache/apt/archives").glob("*.deb"):
        archive.unlink()
    for stale in ("etc/machine-id", "etc/hostname", "etc/resolv.conf", "var/lib/dbus/machine-id"):
        (root / stale).unlink(missing_ok=True)
    units = root / "etc/systemd/system"
    for unit in recipe.masked:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    for unit in recipe.deferred:
        # systemd reads such a link as: this target does not want the unit.
        (units / "multi-user.target.wants" / unit).symlink_to("/dev/null")
    (units / "default.target").unlink(missing_ok=True)
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    (root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] http://{MAIN.at(ROUTER_NUMBER)[0]}/ ./\n", "utf-8")


@contextmanager
def layer(draft: Path, name: str, lower: str) -> Iterator[Path]:
    """
    Mount what becomes the draft's folder `name` over finished layers; until the block ends its programs may be run.
    """
    root, workdir = draft / "root", draft / "work" / name
    for folder in (root, workdir, draft / name):
        folder.mkdir(parents=True, exist_ok=True)
    overlay(lower, draft / name, workdir, root)
    try:
        policy = root / "usr/sbin/policy-rc.d"
        policy.write_text(POLICY, "utf-8")
        policy.chmod(0o755)
        yield root
        policy.unlink()
        _close(root)
    finally:
        unmount_below(root)
        root.rmdir()


def opened(root: Path, suite: str, source: MachineArchive, log: Path) -> None:
    """Let the layer's apt reach the archive as the machine's own apt does."""
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    for setting in apt_settings():
        if not setting.name.startswith("docker"):
            shutil.copy(setting, root / "etc/apt/apt.conf.d" / f"zz-build-{setting.name}")
    line = f"deb [signed-by={_KEYRING}] {source.mirror} {suite} main\n"
    (root / "etc/apt/sources.list").write_text(line, "utf-8")
    shutil.copy(_KEYRING, root / str(_KEYRING).lstrip("/"))
    inside(root, ("apt-get", "-q", "update"), log)


def _close(root: Path) -> None:
    """Leave nothing in the layer of how it was built."""
    for setting in (root / "etc/apt/apt.conf.d").glob("zz-build-*"):
        setting.unlink()
    for folder in ("var/lib/apt/lists", "var/cache/apt"):
        for entry in (root / folder).iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] http://{MAIN.at(ROUTER_NUMBER)[0]}/ ./\n", "utf-8")


def _install(root: Path, packages: Sequence[str], keep: Path, log: Path) -> None:
    download(root, packages, keep, log)
    for package in keep.iterdir():
        shutil.copy(package, root / "var/cache/apt/archives")
    inside(root, ("apt-get", "-qy", "install", *packages), log)
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()


def _deployer(root: Path, log: Path) -> None:
    """Make the account that the site's flows log in with."""
    inside(root, ("useradd", "--create-home", "--uid", str(DEPLOY_UID), "--shell", "/bin/bash", "deploy"), log)
    rule = root / "etc/sudoers.d/deploy"
    rule.write_text("deploy ALL=(ALL:ALL) NOPASSWD: ALL\n", "utf-8")
    rule.chmod(0o440)


def download(root: Path, packages: Sequence[str], keep: Path, log: Path) -> None:
    """Put the packages, and what the root lacks of what they depend on, into the folder `keep`."""
    inside(root, ("apt-get", "-qy", "--download-only", "install", *packages), log)
    keep.mkdir(exist_ok=True)
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        shutil.move(package, keep / package.name)


def _unpack(root: Path, packages: Path, log: Path) -> None:
    folder = root / "srv/later"
    shutil.copytree(packages, folder)
    names = tuple(f"/srv/later/{package.name}" for package in sorted(packages.iterdir()))
    inside(root, ("dpkg", "--install", *names), log)
    shutil.rmtree(folder)


def inside(root: Path, argv: Sequence[str], log: Path) -> None:
    """Run a program of the root in it."""
    # A process namespace of its own: whatever a package starts ends with it.
    sandbox = (
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        f"--mount-proc={root}/proc",
        "--",
        "chroot",
        str(root),
    )
    logged((*sandbox, *argv), log, seconds=600)


def listing(repository: Path) -> str:
    """Describe the folder's packages as apt reads it."""
    text = call(("dpkg-scanpackages", "--multiversion", str(repository), "/dev/null"), seconds=120)
    return text.replace(f"Filename: {repository}/", "Filename: ./")


def _index(repository: Path) -> None:
    """Write the flat repository's Packages and Release files; nobody signs them, hosts are told to trust it."""
    text = listing(repository)
    (repository / "Packages").write_text(text, "utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()
    release = (
        f"Origin: lab\nSuite: lab\nDate: {formatdate(usegmt=True)}\nSHA256:\n {digest} {len(text.encode())} Packages\n"
    )
    (repository / "Release").write_text(release, "utf-8")
