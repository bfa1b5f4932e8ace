"""Claims about local volumes: what a disk must be like to be formatted, and what pods get."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from nornir.core.inventory import Host

from flows._fleet.hosts import close
from flows._fleet.inventory import inventory
from model.errors import CommandFailed, ProtocolError
from model.host.hoststate import HostState
from model.kubernetes.storage import DiskFacts, Volume, judge, manifests, volumes
from model.site.hosts import Disk, Machine
from remote.facts.disks import observe, parse
from tasks.storage import FOLDERS_UNIT, _format, escaped, mounts
from tests.mutation import loaded
from tests.remote.conftest import SshServer, login_key, sshd  # noqa: F401 - fixtures
from tests.remote.sites import write_site

SITE = loaded()
GIB = 2**30


def with_disks(*disks: Disk) -> Machine:
    machine = SITE.by_name["db-1"]
    return replace(machine, data=machine.data.model_copy(update={"disks": disks}))


def disk(name: str, purpose: str = "database", gib: int = 1) -> Disk:
    return Disk.model_validate({"id": name, "gib": gib, "purpose": purpose})


def test_declared_disks_become_volumes_and_the_systems_own_does_not() -> None:
    declared = volumes(SITE, with_disks(disk("a"), disk("b", "system"), disk("c", "objects"), disk("d", "unused")))
    assert [(volume.purpose, volume.disk.id) for volume in declared if volume.disk] == [
        ("database", "a"),
        ("objects", "c"),
    ]


def test_a_volume_keeps_its_name_when_lines_are_moved() -> None:
    first, other = disk("a"), disk("b")
    names = {volume.disk.id: volume.name for volume in volumes(SITE, with_disks(first, other)) if volume.disk}
    moved = {volume.disk.id: volume.name for volume in volumes(SITE, with_disks(other, first)) if volume.disk}
    assert names == moved


def test_a_small_site_without_disks_has_folders_and_another_has_none() -> None:
    assert [volume.name for volume in volumes(SITE, SITE.by_name["w-1"])] == [
        "database-1",
        "objects-1",
        "objects-2",
        "monitoring-1",
    ]
    assert volumes(SITE, SITE.by_name["cp-1"]) == ()
    real = replace(SITE, settings=SITE.settings.model_copy(update={"size": "auto"}))
    assert volumes(real, real.by_name["w-1"]) == ()
    assert manifests(real) == ()


def test_every_volume_is_bound_to_its_node_and_waits_for_its_pod() -> None:
    first, *others = manifests(SITE)
    assert (first["metadata"]["name"], first["volumeBindingMode"]) == ("local-storage", "WaitForFirstConsumer")
    assert len({volume["metadata"]["name"] for volume in others}) == len(others)
    for volume in others:
        (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
        assert volume["metadata"]["name"].startswith(f"{term['matchExpressions'][0]['values'][0]}-")
        assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
        assert volume["spec"]["local"]["path"].endswith("/data")


VOLUME = Volume("db-1", "database-1", "database", 1, disk("a"))


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (DiskFacts(""), "missing"),
        (DiskFacts("/dev/x", GIB), "empty"),
        (DiskFacts("/dev/x", GIB, VOLUME.label, ("it holds ext4",)), "ready"),
        (DiskFacts("/dev/x", GIB, "mf-ofanothernode", ("it holds ext4",)), "in-use"),
        (DiskFacts("/dev/x", GIB, "", ("it is mounted at /",)), "in-use"),
        (DiskFacts("/dev/x", GIB // 2), "wrong-size"),
        (DiskFacts("/dev/x", int(GIB * 0.93)), "empty"),
    ],
)
def test_only_an_empty_disk_of_the_declared_size_may_be_formatted(seen: DiskFacts, verdict: str) -> None:
    assert judge(VOLUME, seen) == verdict


def test_mounts_are_named_as_systemd_names_them() -> None:
    path = f"{VOLUME.mount}/x_y.z"
    expected = subprocess.run(
        ("systemd-escape", "--path", path), capture_output=True, text=True, check=True
    ).stdout.strip()
    assert escaped(path) == expected


def test_a_mount_is_by_stable_name_and_folders_are_made() -> None:
    state = mounts([VOLUME, Volume("w-1", "objects-1", "objects", 1)])
    assert "What=/dev/disk/by-id/a\nWhere=/var/lib/matrix-fleet/volumes/database-1\n" in state.files[0].text
    assert state.units[0].name.endswith(".mount")
    assert state.units[1].name == FOLDERS_UNIT
    assert "/var/lib/matrix-fleet/volumes/objects-1/data" in state.files[1].text
    assert mounts([]) == HostState()


@pytest.mark.parametrize("answer", ["", "disk 0\n", "disk 0\nwhat 1\nend\n", "reason x\nend\n", "end\n"])
def test_an_answer_that_is_cut_short_or_unknown_is_an_error(answer: str) -> None:
    with pytest.raises(ProtocolError):
        parse("db-1", answer, 1)


@pytest.fixture
def host(tmp_path: Path, sshd: SshServer) -> Iterator[Host]:  # noqa: F811
    nr = inventory(write_site(tmp_path / "site", {"db-1": sshd.port}, {sshd.port: sshd.host_key}, sshd.login_key))
    yield nr.inventory.hosts["db-1"]
    close(nr)


@pytest.fixture
def device(tmp_path: Path, real_machine: None) -> Iterator[str]:
    """A loop device of 1 GiB that takes no room, known as `a` in the test's own folder of stable names."""
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(GIB)
    name = do("losetup", "--find", "--show", "--partscan", str(path)).strip()
    (tmp_path / "a").symlink_to(name)
    yield name
    with suppress(subprocess.CalledProcessError):
        do("umount", name)
    with suppress(subprocess.CalledProcessError):
        do("swapoff", name)
    do("blockdev", "--setrw", name)
    do("losetup", "--detach", name)


def do(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_an_empty_disk_is_formatted_once_and_known_again(host: Host, device: str, tmp_path: Path) -> None:
    (before,) = observe(host, ["a"], str(tmp_path))
    assert (before.device, before.size, judge(VOLUME, before)) == (device, GIB, "empty")
    _format(host, VOLUME, str(tmp_path))
    (after,) = observe(host, ["a"], str(tmp_path))
    assert judge(VOLUME, after) == "ready"
    with pytest.raises(CommandFailed, match=r"is not empty: reason it holds ext4 labelled mf-"):
        _format(host, VOLUME, str(tmp_path))
    where = tmp_path / "there"
    where.mkdir()
    do("mount", device, str(where))
    assert (where / "data").is_dir()
    (mounted,) = observe(host, ["a"], str(tmp_path))
    assert f"it is mounted at {where}" in mounted.reasons


def test_a_disk_that_is_not_there_is_missing(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no device")
    assert observe(host, ["none", "file"], str(tmp_path)) == (DiskFacts(""), DiskFacts(""))


def write_at(offset: int) -> Callable[[str], None]:
    def write(device: str) -> None:
        with Path(device).open("r+b") as file:
            file.seek(offset)
            file.write(b"x")

    return write


def partition(device: str) -> None:
    """Write the table that old machines know, with one Linux partition of 1 MiB."""
    entry = bytes([0, 0, 0, 0, 0x83, 0, 0, 0]) + (2048).to_bytes(4, "little") + (2048).to_bytes(4, "little")
    with Path(device).open("r+b") as file:
        file.seek(446)
        file.write(entry + bytes(48) + b"\x55\xaa")
    do("blockdev", "--rereadpt", device)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda device: do("mkfs.ext4", "-q", device), "it holds ext4"),
        (lambda device: do("mkswap", device), "it holds swap"),
        (partition, "it holds dos"),
        (write_at(700_000), "there is something in its MiB 0"),
        (write_at(GIB - 10), "there is something in its MiB 1023"),
        (lambda device: do("blockdev", "--setro", device), "it is read-only"),
    ],
    ids=["file-system", "swap", "partitions", "beginning", "end", "read-only"],
)
def test_a_disk_with_anything_on_it_is_refused(
    host: Host, device: str, tmp_path: Path, spoil: Callable[[str], object], reason: str
) -> None:
    spoil(device)
    (seen,) = observe(host, ["a"], str(tmp_path))
    assert any(reason in text for text in seen.reasons), seen
    assert judge(VOLUME, seen) == "in-use"
    with pytest.raises(CommandFailed, match="is not empty"):
        _format(host, VOLUME, str(tmp_path))
