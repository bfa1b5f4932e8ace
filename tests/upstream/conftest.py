"""A signed archive, publishers and servers for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from model.bundle.audit import PACKAGES
from tests.upstream import archive
from tests.upstream.publishers import Publishers, publishing
from tests.upstream.web import Web, serving


@pytest.fixture(scope="session")
def signer(debian_tools: None) -> Iterator[archive.Signer]:
    with archive.signer() as signing:
        yield signing


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory, debian_tools: None) -> Path:
    """Tiny packages under the names that bootstrap installs, one of which depends on two more."""
    folder = tmp_path_factory.mktemp("debian")
    wanted = dict.fromkeys(PACKAGES, "") | {
        "conntrack": "libnetfilter",
        "libnetfilter": "libnfnetlink (>= 1:1)",
        "libnfnetlink": "",
    }
    archive.packages(folder, {**wanted, "unwanted": ""})
    return folder


@pytest.fixture
def publishers(tmp_path: Path, debian: Path, signer: archive.Signer) -> Iterator[Publishers]:
    folder = tmp_path / "sources"
    folder.mkdir()
    with publishing(folder, debian, signer) as published:
        yield published


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server
