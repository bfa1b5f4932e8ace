"""A folder of the checkout is the same code wherever it is checked out, or the site that names it is not read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from model.errors import SchemaErrors
from model.site.code import MAX_BYTES, CodeFile, read_code
from model.site.derived import CodeLayer, Derivation, PinnedWheel
from tests.mutation import site

DERIVED = "images:images.synapse.derived"


def _checkout(folder: Path) -> Path:
    """Make a checkout with a program, what it needs, and what Python leaves behind."""
    (folder / "apps" / "x" / "sub" / "__pycache__").mkdir(parents=True)
    (folder / "apps" / "x" / "sub" / "__pycache__" / "b.cpython-311.pyc").write_bytes(os.urandom(8))
    (folder / "apps" / "x" / "old.pyc").write_bytes(os.urandom(8))
    for name, text in (("sub/b.py", "B = 1\n"), ("a.py", "A = 1\n"), ("sub.txt", ""), ("run", "#!/bin/sh\n")):
        (folder / "apps" / "x" / name).write_text(text)
    (folder / "apps" / "x" / "run").chmod(0o755)
    return folder


def test_files_are_sorted_and_what_python_compiles_is_left_out(tmp_path: Path) -> None:
    files = read_code(_checkout(tmp_path), "apps/x")
    assert [(file.path, file.mode) for file in files] == [
        ("a.py", 0o644),
        ("run", 0o755),
        ("sub.txt", 0o644),
        ("sub/b.py", 0o644),
    ]


def test_who_checks_it_out_and_when_makes_no_difference(tmp_path: Path) -> None:
    one, two = _checkout(tmp_path / "one"), _checkout(tmp_path / "two")
    for path in (two / "apps" / "x").rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700 if path.is_dir() or path.name == "run" else 0o600)
    assert read_code(one, "apps/x") == read_code(two, "apps/x")


def test_every_byte_every_name_and_the_place_make_the_tag() -> None:
    wheel = PinnedWheel("tool", "2", "1" * 64)
    file = CodeFile("a.py", 0o644, b"1")
    others = (CodeFile("a.py", 0o644, b"2"), CodeFile("b.py", 0o644, b"1"), CodeFile("a.py", 0o755, b"1"))
    layers = [None, CodeLayer("apps/x", "opt/x", (file,)), CodeLayer("apps/x", "opt/y", (file,))]
    layers += [CodeLayer("apps/x", "opt/x", (other,)) for other in others]
    tags = {Derivation(wheels, into, code).tag("v1") for code in layers for wheels, into in (((), ""), ((wheel,), "l"))}
    assert len(tags) == 2 * len(layers)


def _gone(_: Path) -> str:
    return "is no folder of this checkout"


def _a_file(place: Path) -> str:
    place.write_text("code")
    return "is no folder of this checkout"


def _empty(place: Path) -> str:
    (place / "__pycache__").mkdir(parents=True)
    (place / "__pycache__" / "a.pyc").write_text("")
    return "holds no file"


def _link_inside(place: Path) -> str:
    place.mkdir()
    (place / "a.py").symlink_to("/etc/passwd")
    return "a.py is a link"


def _folder_behind_a_link(place: Path) -> str:
    place.mkdir()
    (place / "sub").symlink_to(place.parent)
    return "sub is a link"


def _is_a_link(place: Path) -> str:
    (place.parent / "real").mkdir()
    (place.parent / "real" / "a.py").write_text("")
    place.symlink_to("real")
    return "is a link, or lies behind one"


def _leads_out(place: Path) -> str:
    place.symlink_to("/usr")
    return "leads out of the checkout"


def _pipe(place: Path) -> str:
    place.mkdir()
    os.mkfifo(place / "pipe")
    return "pipe is neither a file nor a folder"


def _takes_away(place: Path) -> str:
    place.mkdir()
    (place / ".wh.bin").write_text("")
    return ".wh.bin takes a file of the image away"


def _odd_name(place: Path) -> str:
    place.mkdir()
    (place / "a\nb").write_text("")
    return r"'a\nb' is no name that every machine reads alike"


def _too_large(place: Path) -> str:
    place.mkdir()
    with (place / "large").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    return "holds more than 16 MiB"


RED = (
    _gone, _a_file, _empty, _link_inside, _folder_behind_a_link, _is_a_link, _leads_out, _pipe, _takes_away, _odd_name,
    _too_large,
)  # fmt: skip


@pytest.mark.parametrize("damage", RED)
def test_a_site_whose_code_cannot_be_put_into_an_image_is_no_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], str]
) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "apps").mkdir(parents=True)
    monkeypatch.setattr("model.site.load.ROOT", checkout)
    told = damage(checkout / "apps" / "mine")
    with pytest.raises(SchemaErrors, match=r"images\.yaml.*images\.synapse\.derived\.code\.folder") as caught:
        site(tmp_path / "site", set={DERIVED: {"code": {"folder": "apps/mine", "at": "opt/mine"}}})
    assert f"cannot be put into an image: {told}" in str(caught.value)


@pytest.mark.parametrize("path", ["../outside", "/etc", ".hidden", "a//b", "a/", "a/../b", "."])
@pytest.mark.parametrize("field", ["folder", "at"])
def test_no_path_of_code_leads_out(tmp_path: Path, field: str, path: str) -> None:
    code = {"folder": "apps/config_check", "at": "opt/x", field: path}
    with pytest.raises(SchemaErrors, match=rf"images\.synapse\.derived\.code\.{field}"):
        site(tmp_path, set={DERIVED: {"code": code}})


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({}, "names nothing to put on the image"),
        ({"requirements": "templates/bundle/synapse-s3.lock"}, "belong together"),
        ({"into": "lib"}, "belong together"),
    ],
)
def test_something_is_put_on_an_image_and_it_is_said_where(tmp_path: Path, named: dict[str, str], told: str) -> None:
    with pytest.raises(SchemaErrors, match=rf"images\.synapse\.derived.*{told}"):
        site(tmp_path, set={DERIVED: named})


@pytest.mark.parametrize("pushed", ["a/b", "a/b:c", f"a/b@sha256:{'1' * 64}", f"a/b:c@sha256:{'1' * 63}"])
def test_what_was_pushed_is_named_by_tag_and_digest(tmp_path: Path, pushed: str) -> None:
    code = {"folder": "apps/config_check", "at": "opt/x"}
    with pytest.raises(SchemaErrors, match=r"images\.synapse\.derived\.pushed"):
        site(tmp_path, set={DERIVED: {"code": code, "pushed": pushed}})


def test_code_comes_with_wheels_or_without(tmp_path: Path) -> None:
    code = {"folder": "apps/config_check", "at": "opt/x"}
    wheels = {"requirements": "templates/bundle/synapse-s3.lock", "into": "lib"}
    alone = site(tmp_path / "alone", set={DERIVED: {"code": code}}).derivations["synapse"]
    both = site(tmp_path / "both", set={DERIVED: {"code": code, **wheels}}).derivations["synapse"]
    assert (alone.wheels, alone.into, bool(both.wheels)) == ((), "", True)
    assert alone.code is not None
    assert alone.code == both.code
    assert "config_check.py" in {file.path for file in alone.code.files}
