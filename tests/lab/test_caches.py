"""What the compiler keeps is bounded, and nothing of it goes while somebody compiles."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.bundle import caches, toolchain
from lab.commands import call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Caches of 1,000 bytes of packages and one archive."""
    archive = tmp_path / "modules/cache/download/example.org/x/@v/v1.0.0.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"z" * 100)
    archive.with_suffix(".mod").write_text("module x")
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "a").write_bytes(b"a" * 1000)
    return tmp_path


@pytest.mark.parametrize(("most", "kept"), [(999, False), (1000, True)])
def test_archives_go_and_packages_beyond_the_bound(folder: Path, most: int, kept: bool) -> None:
    said: list[str] = []
    caches.bound(Path("/usr/bin/false"), said.append, folder=folder, most=most)
    assert [path.name for path in folder.rglob("v1.0.0.*")] == ["v1.0.0.mod"]
    assert (folder / "packages").exists() is kept
    assert "freed" in said[0]


def test_nothing_goes_while_somebody_compiles(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    compiler = tmp_path / "compiler"
    compiler.write_bytes(Path("/bin/sleep").read_bytes())
    compiler.chmod(0o755)
    with subprocess.Popen((compiler, "60")) as running:
        try:
            assert caches.compiling(compiler)
            caches.bound(compiler, said.append, folder=folder, most=0)
        finally:
            running.kill()
    assert said == ["  compilers' caches stay as they are: somebody is compiling"]
    assert (folder / "packages" / "a").exists()
    assert not caches.compiling(compiler)


def test_the_compiler_keeps_to_the_labs_own_caches(tmp_path: Path) -> None:
    go = toolchain.ensure(print)
    asked = call((str(go), "env", "GOMODCACHE", "GOCACHE"), extra=caches.environment(tmp_path))
    assert asked.split() == [str(tmp_path / "modules"), str(tmp_path / "packages")]
