"""Pods name an image by its digest; a derived one is what this very lock file made, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.bundle.bundle import Bundle
from model.bundle.items import ImageItem
from model.errors import SiteError
from model.rollout.image_references import image_reference, known_reference
from model.site.site import Site
from tests.mutation import site

NAME, TAG = "docker.io/matrixdotorg/synapse", "v1.163.2"
THEIRS, OURS = "sha256:" + "1" * 64, "sha256:" + "2" * 64
DERIVED = {"requirements": "templates/bundle/synapse-s3.lock", "into": "usr/local/lib/python3.13/site-packages"}


def _site(folder: Path, **image: Any) -> Site:
    return site(folder, set={f"images:images.synapse.{field}": value for field, value in image.items()})


def _bundle(*versions: tuple[str, str]) -> Bundle:
    items = tuple(
        ImageItem(
            name=NAME,
            version=version,
            file=f"images/{number}.tar",
            size=0,
            sha256="0" * 64,
            needed="application",
            digest=digest,
        )
        for number, (version, digest) in enumerate(versions)
    )
    return Bundle(name="trial", kubernetes="1.36.3", architecture="amd64", suites=("bookworm",), items=items)


def test_a_derived_image_is_the_one_of_the_bundle(tmp_path: Path) -> None:
    known = _site(tmp_path, derived=DERIVED, digest=THEIRS)
    tag = known.derivations["synapse"].tag(TAG)
    assert image_reference(known, _bundle((TAG, THEIRS), (tag, OURS)), "synapse") == f"{NAME}:{tag}@{OURS}"


@pytest.mark.parametrize("versions", [(), ((TAG, THEIRS),), ((f"{TAG}-000000000000", OURS),)])
def test_neither_the_publishers_nor_one_of_another_lock_file_takes_its_place(
    tmp_path: Path, versions: tuple[tuple[str, str], ...]
) -> None:
    known = _site(tmp_path, derived=DERIVED, digest=THEIRS)
    for bundle in (None, _bundle(*versions)):
        assert known_reference(known, bundle, "synapse") is None
        with pytest.raises(SiteError, match=rf"synapse is derived, and no bundle brings {NAME}:{TAG}-[0-9a-f]{{12}}"):
            image_reference(known, bundle, "synapse")


def test_what_was_pushed_to_the_sites_registry_comes_before_the_bundle(tmp_path: Path) -> None:
    tag = _site(tmp_path / "first", derived=DERIVED).derivations["synapse"].tag(TAG)
    pushed = f"registry.example.org:5000/matrix/matrixdotorg/synapse:{tag}@{OURS}"
    known = _site(tmp_path / "then", derived={**DERIVED, "pushed": pushed})
    for bundle in (None, _bundle((tag, THEIRS))):
        assert image_reference(known, bundle, "synapse") == pushed


def test_what_was_pushed_of_other_files_counts_no_more(tmp_path: Path) -> None:
    former = f"registry.example.org/matrix/synapse:{TAG}-000000000000@{THEIRS}"
    known = _site(tmp_path, derived={**DERIVED, "pushed": former})
    tag = known.derivations["synapse"].tag(TAG)
    assert image_reference(known, _bundle((tag, OURS)), "synapse") == f"{NAME}:{tag}@{OURS}"
    with pytest.raises(SiteError) as caught:
        image_reference(known, None, "synapse")
    assert "flows.bundle push" in caught.value.next_step


def test_an_image_that_is_not_derived_is_the_bundles_or_that_of_images_yaml(tmp_path: Path) -> None:
    known = _site(tmp_path, digest=THEIRS)
    assert image_reference(known, _bundle(("v9", OURS)), "synapse") == f"{NAME}:v9@{OURS}"
    assert image_reference(known, None, "synapse") == f"{NAME}:{TAG}@{THEIRS}"
