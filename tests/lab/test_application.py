"""The application part of the lab's bundle: what the official images promise, and what is corrected and kept."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lab.bundle import compiling, contents, corrections, modules, packing, userland, wheels
from lab.bundle.application import COMPONENTS, IMAGES, MANIFESTS, TOOLS
from lab.bundle.extras import EXTRAS, MC_TIME, MINIO_TIME
from lab.bundle.ingredients import (
    Chart,
    Correction,
    GoComponent,
    ImageAccount,
    ImageFolder,
    ImageRecipe,
    ManifestRecipe,
)
from lab.bundle.packing import Parts
from lab.errors import LabError
from model.checkout import REFERENCE
from model.document import read

# What cannot be made for the lab.
NOT_IN_THE_BUNDLE = ("element-web", "ketesa", "sygnal")
EXTRA_IMAGES = tuple(image for extra in EXTRAS.values() for image in extra.images)
BY_WORD = {image.name.rpartition("/")[2]: image for image in (*IMAGES, *EXTRA_IMAGES)}


def test_images_have_the_names_that_images_yaml_gives_them() -> None:
    named = read(REFERENCE / "images.yaml")["images"]  # type: ignore[index]
    for word, image in named.items():
        if word not in NOT_IN_THE_BUNDLE:
            assert BY_WORD[word].name == image["name"]


def test_what_the_lab_cannot_have_is_optional_so_that_a_rollout_names_it_and_goes_on() -> None:
    components = read(REFERENCE / "components.yaml")["components"]  # type: ignore[index]
    optional = {component["name"] for component in components if component.get("optional")}
    assert optional == set(NOT_IN_THE_BUNDLE)
    assert not optional & set(BY_WORD)


def test_only_what_every_node_runs_is_staged_on_every_node() -> None:
    assert {word for word, image in BY_WORD.items() if image.needed != "application"} == {"kube-router"}


@pytest.mark.parametrize(
    ("word", "started"),
    [
        ("haproxy", {"signal": "SIGUSR1", "user": "haproxy", "folder": "/var/lib/haproxy"}),
        ("cloudnative-pg", {"entrypoint": ("/manager",), "folder": "/", "user": "65532:65532"}),
        ("postgresql", {"entrypoint": (), "user": "26", "folder": "/"}),
        ("redis", {"entrypoint": (), "command": ("redis-server",), "folder": "/data"}),
        ("cert-manager-webhook", {"entrypoint": ("/app/cmd/webhook/webhook",), "user": "65532:65532"}),
        ("contour", {"entrypoint": (), "folder": "/"}),
        ("kube-router", {"entrypoint": ("/usr/local/bin/kube-router",), "folder": "/root"}),
        ("minio", {"command": ("minio",), "user": "", "folder": ""}),
        ("metrics-server", {"entrypoint": ("/metrics-server",), "user": "65534"}),
    ],
)
def test_an_image_starts_and_stops_as_the_official_one(word: str, started: dict[str, object]) -> None:
    assert {name: getattr(BY_WORD[word].started, name) for name in started} == started


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("cloudnative-pg", "operator/manager_amd64"),
        ("cloudnative-pg", "manager"),
        ("seaweedfs", "usr/bin/weed"),
        ("contour", "bin/contour"),
        ("cert-manager-controller", "app/cmd/controller/controller"),
        ("kube-router", "usr/local/bin/kube-router"),
        ("envoy", "usr/local/bin/envoy"),
        ("haproxy", "usr/local/sbin/haproxy"),
        ("redis", "usr/local/bin/redis-server"),
        ("redis", "usr/local/bin/redis-sentinel"),
        ("redis", "usr/local/bin/redis-cli"),
        ("synapse", "usr/bin/python3"),
        ("minio", "usr/bin/minio"),
        ("minio", "usr/bin/mc"),
        ("metrics-server", "metrics-server"),
    ],
)
def test_a_program_is_found_where_the_official_image_has_it(word: str, path: str) -> None:
    image = BY_WORD[word]
    tools = [tools for tools in TOOLS if tools.name in image.tools]
    paths = {
        *image.links,
        *(program.path for program in image.programs),
        *(link for tool in tools for link in tool.links),
    }
    assert path in paths


def test_minios_programs_say_of_which_commit_they_are() -> None:
    """Its publisher's builds carry the time of their commit, which Go's name of a module without a version has too."""
    (component,) = EXTRAS["minio"].components
    required = (compiling.MODULES / component.folder / "go.mod").read_text("utf-8")
    for module, time in (("minio", MINIO_TIME), ("mc", MC_TIME)):
        digits = re.sub(r"\D", "", time)
        assert re.search(rf"^\tgithub\.com/minio/{module} v0\.0\.0-{digits}-", required, re.MULTILINE)
        assert component.stamps[f"github.com/minio/{module}/cmd.Version"] == time
    assert BY_WORD["minio"].tag == component.stamps["github.com/minio/minio/cmd.ReleaseTag"]


def test_the_tag_of_postgresql_begins_with_its_major_version() -> None:
    """CloudNativePG reads it there."""
    assert BY_WORD["postgresql"].tag == "{version}"
    tools = next(tools for tools in TOOLS if tools.name == "postgresql")
    assert tools.packages[0].startswith("postgresql-")


def test_accounts_and_folders_of_an_image_are_its_own() -> None:
    image = ImageRecipe(
        name="a.example/b",
        tag="1",
        needed="application",
        accounts=(ImageAccount("redis", 999, 998, "/data"),),
        folders=(ImageFolder("data", 999, 998, 0o750),),
        links={"a": "b"},
    )
    entries = {entry.path: entry for entry in contents.own(image)}
    assert "redis:x:999:998:redis:/data:/sbin/nologin\n" in (entries["etc/passwd"].text or "")
    assert "redis:x:998:\n" in (entries["etc/group"].text or "")
    assert (entries["data"].owner, entries["data"].mode) == ((999, 998), 0o750)
    assert entries["a"].target == "b"
    assert contents.own(replace(image, accounts=(), folders=(), links={})) == ()


def test_a_tag_has_no_epoch_and_no_sign_that_tags_cannot_have(tmp_path: Path) -> None:
    (tmp_path / userland.VERSION).write_text("5:7.0.15-1~deb12u6+b1")
    assert userland.version(tmp_path) == "7.0.15-1-deb12u6-b1"


def test_a_fault_is_corrected_where_it_stands_once(tmp_path: Path) -> None:
    (tmp_path / "a.go").write_text("one two three\n")
    modules.correct(tmp_path, (Correction("a.go", " two ", " 2 "),))
    assert (tmp_path / "a.go").read_text() == "one 2 three\n"


@pytest.mark.parametrize("text", ["one three", "two two"])
def test_a_module_that_is_not_the_known_one_is_never_compiled(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.go").write_text(text)
    with pytest.raises(LabError, match=r"not once: see lab/bundle/corrections\.py"):
        modules.correct(tmp_path, (Correction("a.go", "two", "2"),))
    assert (tmp_path / "a.go").read_text() == text


def test_a_corrected_module_is_compiled_from_a_copy(tmp_path: Path) -> None:
    folder, source, draft = (tmp_path / name for name in ("folder", "source", "draft"))
    for place in (folder, source / "releases", draft):
        place.mkdir(parents=True)
    (folder / "go.mod").write_text("module x\n")
    (source / "a.go").write_text("faulty")
    (source / "releases/a.yaml").write_text("kind: Namespace\n")
    (tmp_path / "go").write_text(f'#!/bin/sh\n[ "$3" = list ] && echo {source}\nexit 0\n')
    (tmp_path / "go").chmod(0o755)
    component = GoComponent(
        "x", "a.example/x", corrections=(Correction("a.go", "faulty", "correct"),), kept=("releases/*.yaml",)
    )
    with modules.opened(component, folder, draft, modules.Go(tmp_path / "go", {})) as place:
        assert (place / "source/a.go").read_text() == "correct"
        assert (place / "go.mod").read_text().endswith("\nreplace a.example/x => ./source\n")
        assert not (place / "go.mod").samefile(folder / "go.mod")
    assert not place.exists()
    assert (draft / "kept/releases/a.yaml").read_text() == "kind: Namespace\n"
    assert (source / "a.go").read_text() == "faulty"


def test_a_module_that_lacks_what_the_bundle_needs_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"has no releases/\*\.yaml"):
        modules.keep(tmp_path, ("releases/*.yaml",), tmp_path / "kept")


def test_corrections_make_another_program() -> None:
    plain = next(component for component in COMPONENTS if component.folder == "kube-router")
    assert plain.corrections == corrections.KUBE_ROUTER
    assert compiling.key(plain) != compiling.key(replace(plain, corrections=()))


def _manifest(folder: Path, wanted: ManifestRecipe) -> tuple[str, object]:
    (folder / "bundle/manifests").mkdir(parents=True)
    parts = Parts(
        {wanted.component: folder},
        {wanted.component: "1.2"},
        {},
        folder,
        "bookworm",
        folder / "bundle",
        {wanted.name: folder / "rendered.yaml"},
    )
    item = packing.manifest(parts, wanted)
    return (folder / "bundle" / item.file).read_text(), item


def test_files_that_are_kept_stay_documents_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "kept/crds").mkdir(parents=True)
    (tmp_path / "kept/crds/a.yaml").write_text("kind: A\n")
    (tmp_path / "kept/crds/b.yaml").write_text("kind: B")
    text, item = _manifest(tmp_path, ManifestRecipe("crds", "x"))
    assert text == "kind: A\n\n---\nkind: B"
    assert getattr(item, "needed", None) == "application"


def test_of_a_chart_what_is_rendered_is_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/a.yaml").write_text("kind: '{{ .Values.kind }}'\n")
    (tmp_path / "rendered.yaml").write_text("kind: A\n")
    assert _manifest(tmp_path, ManifestRecipe("a", "x", chart=Chart("charts/a", "a")))[0] == "kind: A\n"


def test_other_manifests_are_as_their_publisher_wrote_them(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/a.yaml").write_text("text: '{{ pod }}'\n")
    assert _manifest(tmp_path, ManifestRecipe("a", "x"))[0] == "text: '{{ pod }}'\n"


def test_every_manifest_comes_from_a_component_that_keeps_files() -> None:
    kept = {component.folder for component in COMPONENTS if component.kept}
    assert {manifest.component for manifest in MANIFESTS} == kept


@pytest.mark.parametrize("name", [tools.wheels for tools in TOOLS if tools.wheels])
def test_every_python_package_is_pinned_by_hash_and_no_index_is_named(name: str) -> None:
    (lock,) = wheels.lock_files(name)
    text = lock.read_text("utf-8")
    assert wheels.version(name)[0].isdigit()
    assert "http" not in text
    assert "index" not in text.replace("package index entry", "")
    blocks = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert blocks
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)


def test_another_lock_file_makes_other_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = next(tools for tools in TOOLS if tools.wheels)
    before = userland.key("bookworm", tools)
    (tmp_path / f"{tools.wheels}.lock").write_text("x==1")
    monkeypatch.setattr(wheels, "LOCKS", tmp_path)
    assert userland.key("bookworm", tools) != before
