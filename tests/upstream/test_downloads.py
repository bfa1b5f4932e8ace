"""A file is fetched once, from where it broke off, and is the one that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import BundleError, SourceUnreachable
from remote.upstream.client import Client
from remote.upstream.downloads import Downloads
from tests.upstream.test_client import QUICK
from tests.upstream.web import Web, sha256

DATA = bytes(range(256)) * 4096


@pytest.fixture
def downloads(tmp_path: Path) -> Downloads:
    return Downloads(Client(frozenset({"127.0.0.1"}), QUICK), tmp_path)


def fetch(downloads: Downloads, web: Web, *, expected: str = sha256(DATA), size: int | None = len(DATA)) -> Path:
    counts: list[int] = []
    path = downloads.fetch(web.put("/file", web.files.get("/file", DATA)), expected, size, counts.append)
    assert sum(counts) == len(DATA)
    return path


def test_a_finished_file_is_not_fetched_again(downloads: Downloads, web: Web) -> None:
    assert fetch(downloads, web).read_bytes() == DATA
    assert fetch(downloads, web).read_bytes() == DATA
    assert len(web.asked) == 1


def test_a_finished_file_that_was_changed_since_is_fetched_again(downloads: Downloads, web: Web) -> None:
    fetch(downloads, web).write_bytes(b"changed")
    assert fetch(downloads, web).read_bytes() == DATA


def test_after_a_broken_line_only_the_rest_is_fetched(downloads: Downloads, web: Web) -> None:
    web.cut["/file"] = [400_000, 100_000]
    assert fetch(downloads, web).read_bytes() == DATA
    assert [wanted for _, wanted in web.asked] == ["", "bytes=400000-", "bytes=500000-"]


def test_a_later_run_goes_on_where_a_dead_server_left_it(downloads: Downloads, web: Web) -> None:
    web.cut["/file"] = [300_000, 0, 0, 0, 0]
    with pytest.raises(SourceUnreachable, match="/file"):
        fetch(downloads, web)
    assert not (downloads.folder / sha256(DATA)).exists()
    web.cut.clear()
    web.asked.clear()
    fetch(downloads, web)
    assert web.asked == [("/file", "bytes=300000-")]


def test_a_server_that_knows_no_ranges_is_read_from_the_beginning(downloads: Downloads, web: Web) -> None:
    web.ranges = False
    web.cut["/file"] = [300_000]
    assert fetch(downloads, web).read_bytes() == DATA


def test_another_file_is_refused_with_both_digests(downloads: Downloads, web: Web) -> None:
    web.put("/file", DATA[:-1] + b"x")
    with pytest.raises(BundleError) as raised:
        fetch(downloads, web)
    assert f"/file: sha256 expected {sha256(DATA)}, seen {sha256(DATA[:-1] + b'x')}" in str(raised.value)
    assert list(downloads.folder.iterdir()) == []


def test_remains_of_another_file_are_not_built_upon(downloads: Downloads, web: Web) -> None:
    (downloads.folder / f"{sha256(DATA)}.part").write_bytes(b"remains")
    assert fetch(downloads, web).read_bytes() == DATA
    assert [wanted for _, wanted in web.asked] == ["bytes=7-", ""]


def test_remains_that_are_the_whole_file_are_enough(downloads: Downloads, web: Web) -> None:
    (downloads.folder / f"{sha256(DATA)}.part").write_bytes(DATA)
    assert fetch(downloads, web).read_bytes() == DATA


def test_more_than_it_should_have_is_refused(downloads: Downloads, web: Web) -> None:
    with pytest.raises(BundleError, match="more bytes than the 10"):
        fetch(downloads, web, size=10)
    assert list(downloads.folder.iterdir()) == []
