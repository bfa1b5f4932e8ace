"""What the compiler keeps is bounded, and nothing of it goes while somebody compiles."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.bundle import caches

_GO = """#!{python}
import os, shutil, sys
from pathlib import Path
home = Path({home!r})
if sys.argv[1] == "env":
    print(home / "modules", home / "packages", sep="\\n")
else:
    assert sys.argv[1:] == ["clean", "-cache"]
    shutil.rmtree(home / "packages")
"""


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """A program that answers as Go does, and caches of 1,000 bytes of packages and one archive."""
    archive = tmp_path / "modules/cache/download/example.org/x/@v/v1.0.0.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"z" * 100)
    archive.with_suffix(".mod").write_text("module x")
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "a").write_bytes(b"a" * 1000)
    program = tmp_path / "go"
    program.write_text(_GO.format(python=sys.executable, home=str(tmp_path)))
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(("most", "kept"), [(999, False), (1000, True)])
def test_archives_go_and_packages_beyond_the_bound(go: Path, most: int, kept: bool) -> None:
    said: list[str] = []
    caches.bound(go, said.append, most)
    assert [path.name for path in go.parent.rglob("v1.0.0.*")] == ["v1.0.0.mod"]
    assert (go.parent / "packages").exists() is kept
    assert "freed" in said[0]


def test_nothing_goes_while_somebody_compiles(go: Path, tmp_path: Path) -> None:
    said: list[str] = []
    compiler = tmp_path / "compiler"
    compiler.write_bytes(Path("/bin/sleep").read_bytes())
    compiler.chmod(0o755)
    with subprocess.Popen((compiler, "60")) as running:
        try:
            assert caches.compiling(compiler)
            caches.bound(compiler, said.append, 0)
        finally:
            running.kill()
    assert said == ["  compilers' caches stay as they are: somebody is compiling"]
    assert (go.parent / "packages" / "a").exists()
    assert not caches.compiling(compiler)
