"""A lock file pins each wheel by one sha256, or the site that names it is not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.checkout import ROOT
from model.errors import SchemaErrors
from model.site.derived import Derivation, PinnedWheel, read_lock
from model.site.load import load_site
from tests.mutation import REFERENCE, site

ONE, TWO = "1" * 64, "2" * 64
DERIVED = "images:images.synapse.derived"


def test_a_lock_file_is_read_as_pip_writes_it() -> None:
    text = f"# By hand.\na_B.c==1.0 \\\n    --hash=sha256:{ONE}\n    # via nothing\ntool==2  --hash=sha256:{TWO} # c\n"
    assert read_lock(text) == (PinnedWheel("a-b-c", "1.0", ONE), PinnedWheel("tool", "2", TWO))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "pins nothing"),
        ("tool==2", "`tool==2` is not"),
        (f"tool>=2 --hash=sha256:{ONE}", "is not"),
        (f"tool==2 --hash=sha256:{ONE[1:]}", "is not"),
        (f"tool==2 --hash=md5:{ONE}", "is not"),
        (f"tool==2 --hash=sha256:{ONE} --hash=sha256:{TWO}", "is not"),
        (f"tool[fast]==2 --hash=sha256:{ONE}", "is not"),
        (f"--require-hashes\ntool==2 --hash=sha256:{ONE}", "--require-hashes"),
        (f"tool==2 --hash=sha256:{ONE}\nTool==3 --hash=sha256:{TWO}", "pins tool twice"),
    ],
)
def test_anything_else_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_lock(text)


def test_what_is_put_where_makes_the_tag_and_the_order_does_not() -> None:
    one, two = PinnedWheel("one", "1", ONE), PinnedWheel("two", "1", TWO)
    tags = {Derivation(wheels, "lib").tag("v1") for wheels in ((one, two), (two, one))}
    assert len(tags) == 1
    assert tags.isdisjoint({Derivation((one,), "lib").tag("v1"), Derivation((one, two), "lib2").tag("v1"), "v1"})


def test_the_lock_file_of_the_site_comes_before_the_projects(tmp_path: Path) -> None:
    named = {"requirements": "templates/bundle/synapse-s3.lock", "into": "lib"}
    theirs = site(tmp_path / "one", set={DERIVED: named})
    assert "boto3" in {wheel.name for wheel in theirs.derivations["synapse"].wheels}
    own = tmp_path / "one" / "templates" / "bundle" / "synapse-s3.lock"
    own.parent.mkdir(parents=True)
    own.write_text(f"tool==2 --hash=sha256:{ONE}\n")
    assert load_site(tmp_path / "one").derivations["synapse"].wheels == (PinnedWheel("tool", "2", ONE),)


@pytest.mark.parametrize(
    ("lock", "told"), [(None, "is neither in the site's folder nor in the project's"), ("tool==2", "is no lock file")]
)
def test_a_site_whose_lock_file_cannot_be_read_is_no_site(tmp_path: Path, lock: str | None, told: str) -> None:
    if lock is not None:
        (tmp_path / "mine.lock").write_text(lock)
    with pytest.raises(SchemaErrors, match=rf"images\.synapse\.derived\.requirements: {told}"):
        site(tmp_path, set={DERIVED: {"requirements": "mine.lock", "into": "lib"}})


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", ".hidden", "a//b", "a/", "a/../b"])
@pytest.mark.parametrize("field", ["requirements", "into"])
def test_no_path_leads_out(tmp_path: Path, field: str, path: str) -> None:
    named = {"requirements": "templates/bundle/synapse-s3.lock", "into": "lib", field: path}
    with pytest.raises(SchemaErrors, match=rf"images\.synapse\.derived\.{field}"):
        site(tmp_path, set={DERIVED: named})


def test_a_tag_leaves_room_for_ours(tmp_path: Path) -> None:
    named = {"requirements": "templates/bundle/synapse-s3.lock", "into": "lib"}
    assert site(tmp_path / "fits", set={DERIVED: named, "images:images.synapse.tag": "v" * 115}).derivations
    with pytest.raises(SchemaErrors, match="115 characters at most"):
        site(tmp_path / "long", set={DERIVED: named, "images:images.synapse.tag": "v" * 116})


def test_the_line_that_images_yaml_shows_derives_synapse_with_its_storage_provider(tmp_path: Path) -> None:
    site(tmp_path)
    text = (REFERENCE / "images.yaml").read_text("utf-8")
    assert text.count("    # derived: ") == 1
    (tmp_path / "images.yaml").write_text(text.replace("    # derived: ", "    derived: "), "utf-8")
    derivation = load_site(tmp_path).derivations["synapse"]
    assert {"synapse-s3-storage-provider", "boto3", "botocore"} <= {wheel.name for wheel in derivation.wheels}
    assert load_site(REFERENCE).derivations == {}


def test_the_projects_lock_file_has_the_versions_that_the_lab_runs() -> None:
    lab = (ROOT / "lab" / "bundle" / "python" / "matrix-synapse.lock").read_text("utf-8")
    for wheel in read_lock((ROOT / "templates" / "bundle" / "synapse-s3.lock").read_text("utf-8")):
        pinned = lab.partition(f"\n{wheel.name}=={wheel.version} \\")[2].partition("# via")[0]
        assert f"sha256:{wheel.sha256}" in pinned, wheel.name
