"""Versions compare as dpkg compares them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from model.host.debian_version import newer

PAIRS = [
    ("1.0-1", "1.0-1+deb12u1"),
    ("1.0~rc1-1", "1.0-1"),
    ("1.0-1~bpo1", "1.0-1"),
    ("9.9", "10.0"),
    ("9:1", "10:0"),
    ("2.0", "1:1.0"),
    ("1.0-9", "1.0-10"),
    ("1.0a", "1.0b"),
    ("1.0a", "1.0+"),
    ("1.0", "1.0a"),
    ("1.0", "1.0-1"),
    ("4.3-2+deb12u2", "4.3-2+deb12u3"),
    ("1.2.3-1", "1.2.3.1-1"),
    ("1.0~~", "1.0~"),
]


@pytest.mark.parametrize(("older", "later"), PAIRS)
def test_the_later_one_is_newer(older: str, later: str) -> None:
    assert newer(later, older)
    assert not newer(older, later)
    assert not newer(later, later)
    dpkg = shutil.which("dpkg")
    if dpkg:
        assert subprocess.run((dpkg, "--compare-versions", later, "gt", older), check=False).returncode == 0
