"""What the lab reads from the machine it runs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import archive, mounts, prerequisites
from lab.errors import LabError
from lab.instance import selected
from lab.recipe import Recipe

_TARGETS = (
    "http://mirror.example/debian-security/\tDebian\tbookworm-security\tDebian-Security\n"
    "http://mirror.example/debian/\tDebian\tbookworm\tDebian\n"
    "http://mirror.example/debian/\tDebian\tbookworm-updates\tDebian\n"
    "http://vendor.example/apt/\tVendor\tstable\tVendor\n"
)

_MOUNTINFO = """\
22 1 8:1 / / rw - ext4 /dev/sda rw
40 22 0:30 / /lab/hosts/a/root rw - overlay overlay rw
41 40 0:31 / /lab/hosts/a/root/var\\040tmp rw - tmpfs tmpfs rw
42 22 0:32 / /labour rw - tmpfs tmpfs rw
"""


def test_the_mirror_is_the_main_archive_that_apt_knows() -> None:
    assert archive.parse(_TARGETS) == ("http://mirror.example/debian/",)


def test_an_apt_without_debian_has_no_mirror() -> None:
    assert archive.parse("http://vendor.example/apt/\tVendor\tstable\tVendor\n") == ()


def test_mounts_below_a_folder_do_not_include_its_namesakes() -> None:
    assert mounts.parse(_MOUNTINFO, Path("/lab")) == (Path("/lab/hosts/a/root"), Path("/lab/hosts/a/root/var tmp"))


def test_missing_programs_are_named_as_debian_packages(tmp_path: Path) -> None:
    present = tmp_path / "ip"
    present.touch(mode=0o755)
    missing = prerequisites.absent(str(tmp_path))
    assert "iproute2" not in missing
    assert {"debootstrap", "systemd-container", "nftables", "iptables", "dpkg-dev"} <= set(missing)


def test_another_recipe_is_another_root() -> None:
    hashes = {Recipe("bookworm").hash, Recipe("trixie").hash, Recipe("bookworm", full=("ufw",)).hash}
    assert len(hashes) == 3


@pytest.mark.parametrize("name", ["toolong", "A", "1a", "a-b", ""])
def test_the_name_of_a_lab_must_fit_into_names_of_interfaces(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("MATRIX_FLEET_LAB", name)
    with pytest.raises(LabError, match="MATRIX_FLEET_LAB"):
        selected()
