"""Derived images get into the site's registry whole, once, and by the digest that nodes ask for, or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows._run.cli import execute
from flows.bundle import app
from model.bundle import oci
from model.bundle.archived import read_archived
from model.bundle.bundle import MANIFEST, Bundle, render
from model.bundle.checksums import measure
from model.bundle.derive import BaseImage, derive
from model.bundle.items import ImageItem
from model.errors import BundleError
from model.rollout.image_references import image_reference
from model.site.load import load_site
from remote.upstream.client import Client, RetryPolicy
from remote.upstream.image_repository import ImageRepository
from remote.upstream.registry import Registries
from remote.upstream.tokens import RegistryLogin, Tokens
from tests.mutation import write
from tests.remote.authority import Authority
from tests.upstream import wheels
from tests.upstream.taking import PASSWORD, USER, RunningRegistry, Taker, registry, taking
from tests.upstream.web import CONFIG, LAYER, sha256

NAME, TAG = "registry.test/group/synapse", "v1"
CODE = {"folder": "apps/config_check", "at": "opt/config_check"}
PASSED = ("POST", "PUT")
Push = Callable[..., tuple[int, dict[str, Any]]]


def _declare(
    folder: Path, address: str, *, path: str = "/v2", ca: str = "", login: bool = False, **derived: object
) -> None:
    """Write a site whose Synapse is derived, and whose registry is at an address."""
    user = {"user": USER, "password_file": "registry-password"} if login else {}
    entry: dict[str, object] = {"registry": "registry.example.org", "mirrors": [f"{address}{path}"]}
    entry |= {"push": {"folder": "matrix", **user}, **({"ca": ca} if ca else {})}
    image = {"name": NAME, "tag": TAG, "derived": {"code": CODE, **derived}}
    write(folder, {"set": {"site:kubernetes.registries": [entry], "images:images.synapse": image}})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site's folder, and a bundle beside it that brings the image that the site derives."""
    monkeypatch.delenv("MATRIX_FLEET_INVENTORY", raising=False)
    _declare(tmp_path / "site", "http://127.0.0.1:9")
    _bundle(tmp_path)
    return tmp_path / "site"


def _bundle(place: Path) -> ImageItem:
    derivation = load_site(place / "site").derivations["synapse"]
    layer = _blob(LAYER, wheels.layer(["bin/sh"]), place / "base")
    settings = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": ["sha256:0"]}}
    config = oci.json_blob(CONFIG, settings)
    named = {"schemaVersion": 2, "mediaType": oci.MANIFEST, "config": config.descriptor, "layers": [layer.descriptor]}
    base = BaseImage(f"{NAME}:{TAG}", oci.json_blob(oci.MANIFEST, named), config, (layer,))
    made = derive(base, (), "", place / "layer", derivation.code)
    file, version = "images/synapse.tar", derivation.tag(TAG)
    (place / "bundle" / "images").mkdir(parents=True)
    oci.write_archive(f"{NAME}:{version}", "amd64", made.manifest, made.parts, place / "bundle" / file)
    size, sha = measure(place / "bundle" / file)
    digest = f"sha256:{made.manifest.digest}"
    item = ImageItem(name=NAME, version=version, file=file, size=size, sha256=sha, needed="application", digest=digest)
    table = Bundle(name="trial", kubernetes="1.36.3", architecture="amd64", suites=("bookworm",), items=(item,))
    (place / "bundle" / MANIFEST).write_text(render(table), "utf-8")
    return item


def _blob(media: str, data: bytes, path: Path) -> oci.Blob:
    path.write_bytes(data)
    return oci.Blob(media, sha256(data), len(data), path)


@pytest.fixture
def push(folder: Path, capsys: pytest.CaptureFixture[str]) -> Push:
    """Run the command; return its exit code and report."""

    def ran(*argv: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        whole = ["push", str(folder.parent / "bundle"), "--inventory", str(folder), "--json", "-", *argv]
        code = execute(app, "flows.bundle", whole)
        return code, json.loads(capsys.readouterr().out or "{}")

    return ran


def outcome(report: dict[str, Any]) -> dict[str, Any]:
    (found,) = report["outcomes"]
    return dict(found)


@pytest.fixture
def taker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Taker]:
    monkeypatch.setattr("flows._bundle.push.Client", _quick)
    with taking() as found:
        _declare(folder, found.address)
        yield found


def _quick(plain: frozenset[str], authorities: list[Path], clear: str) -> Client:
    return Client(plain, RetryPolicy(3, 0.01, 5, 5), authorities, clear)


@pytest.fixture
def running(folder: Path, tmp_path: Path) -> Iterator[RunningRegistry]:
    """Debian's registry behind TLS of the site's authority, which wants a login; the site knows both."""
    authority = Authority(folder)
    with registry(tmp_path, authority, login=True) as found:
        _declare(folder, found.address, ca=authority.path.name, login=True)
        _password(folder, PASSWORD)
        yield found


def _password(folder: Path, password: str) -> None:
    file = folder / "registry-password"
    file.write_text(f"{password}\n")
    file.chmod(0o600)


@pytest.mark.machine
def test_a_real_registry_has_the_image_by_the_digest_that_pods_name(
    folder: Path, push: Push, running: RunningRegistry
) -> None:
    code, report = push("--dry-run")
    assert (code, outcome(report)["status"], running.sent()) == (2, "drift", 0)
    assert "would send 3 of 3 parts" in outcome(report)["message"]
    code, report = push()
    assert (code, outcome(report)["status"]) == (0, "changed"), outcome(report)
    reference = outcome(report)["evidence"]["reference"]
    assert reference.startswith(f"registry.example.org/matrix/group/synapse:{TAG}-")
    client = Client(authorities=[folder / "ca.crt"])
    registries = Registries(client, {"registry.example.org": running.address})
    name, _, tag = reference.partition("@")[0].rpartition(":")
    registries._doors[name] = Tokens(client, RegistryLogin(USER, PASSWORD))
    assert registries.look(name, tag, "amd64").digest == reference.partition("@")[2]
    _declare(folder, running.address, pushed=reference)
    assert image_reference(load_site(folder), None, "synapse") == reference


@pytest.mark.machine
def test_a_second_push_changes_nothing_and_sends_nothing(push: Push, running: RunningRegistry) -> None:
    assert push()[0] == 0
    sent = running.sent()
    assert sent == 2 * 3 + 1
    for argv in ((), ("--dry-run",)):
        code, report = push(*argv)
        assert (code, outcome(report)["status"]) == (0, "ok")
        assert "nothing changed" in outcome(report)["message"]
    assert running.sent() == sent


@pytest.mark.machine
def test_only_the_layer_that_is_new_is_sent(folder: Path, push: Push, running: RunningRegistry, tmp_path: Path) -> None:
    push()
    before = running.sent()
    _declare(folder, running.address, ca="ca.crt", login=True, code={**CODE, "at": "opt/elsewhere"})
    other = tmp_path / "other"
    other.mkdir()
    (other / "site").symlink_to(folder)
    _bundle(other)
    (tmp_path / "bundle").rename(tmp_path / "former")
    (other / "bundle").rename(tmp_path / "bundle")
    code, report = push()
    assert code == 0
    assert "sent 2 of 3 parts" in outcome(report)["message"]
    assert running.sent() - before == 2 * 2 + 1


@pytest.mark.machine
def test_the_password_is_in_no_report_no_log_and_nowhere_in_the_environment(
    push: Push, running: RunningRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    _, report = push()
    shown = capsys.readouterr()
    assert PASSWORD not in json.dumps(report) + shown.out + shown.err + running.log.read_text()
    assert PASSWORD not in " ".join(os.environ.values()) + repr(RegistryLogin(USER, PASSWORD))


@pytest.mark.machine
def test_a_wrong_password_is_told_and_nothing_is_sent(folder: Path, push: Push, running: RunningRegistry) -> None:
    _password(folder, "another-password")
    code, report = push()
    assert (code, outcome(report)["status"], running.sent()) == (1, "failed", 0)
    assert "HTTP 401" in outcome(report)["message"]
    assert "another-password" not in json.dumps(report)


@pytest.mark.machine
def test_without_a_login_a_registry_that_wants_one_says_so(folder: Path, push: Push, running: RunningRegistry) -> None:
    _declare(folder, running.address, ca="ca.crt")
    code, report = push()
    assert code == 1
    assert "wants Basic credentials" in outcome(report)["message"]


@pytest.mark.machine
def test_a_registry_that_the_sites_authority_does_not_vouch_for_is_sent_nothing(
    folder: Path, push: Push, running: RunningRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows._bundle.push.Client", _quick)
    (tmp_path / "others").mkdir()
    (folder / "ca.crt").write_bytes(Authority(tmp_path / "others").path.read_bytes())
    code, report = push()
    assert (code, running.sent()) == (3, 0)
    assert "CERTIFICATE_VERIFY_FAILED" in outcome(report)["message"]


@pytest.mark.machine
def test_a_real_registry_refuses_a_part_that_is_not_what_its_digest_says(tmp_path: Path) -> None:
    wrong = oci.Blob(LAYER, "0" * 64, 5, b"other")
    named = {"schemaVersion": 2, "mediaType": oci.MANIFEST, "config": wrong.descriptor, "layers": []}
    manifest = oci.json_blob(oci.MANIFEST, named)
    oci.write_archive("a/b:c", "amd64", manifest, [wrong], tmp_path / "image.tar")
    image = read_archived(tmp_path / "image.tar", f"sha256:{manifest.digest}")
    with registry(tmp_path) as found:
        client = Client(frozenset({"127.0.0.1"}))
        place = ImageRepository(client, f"{found.address}/v2/a/b", Tokens(client))
        with pytest.raises(BundleError, match=r"HTTP 400.*DIGEST_INVALID"):
            place.send(image, f"sha256:{wrong.digest}", 5)
        assert not place.has(f"sha256:{wrong.digest}", 5)
        with pytest.raises(BundleError, match=r"HTTP 400.*MANIFEST"):
            place.tag(image, "c")


def test_a_token_is_asked_for_and_shown(taker: Taker, push: Push) -> None:
    taker.realm = f"{taker.address}/token"
    code, report = push()
    assert (code, outcome(report)["status"]) == (0, "changed"), report
    assert ("GET", "/token?service=s&scope=x%3Apull%2Cpush", "") in taker.asked


def test_what_breaks_off_is_sent_again_from_its_beginning(taker: Taker, push: Push) -> None:
    taker.broken = 2
    assert push()[0] == 0
    assert len([path for method, path, _ in taker.asked if method == "PUT" and "digest=" in path]) == 3 + 2


def test_a_line_that_always_breaks_is_exit_3(taker: Taker, push: Push) -> None:
    taker.broken = 99
    code, report = push()
    assert (code, outcome(report)["status"]) == (3, "failed")
    assert "could not be sent" in outcome(report)["message"]


def test_a_registry_that_is_away_is_exit_3(folder: Path, push: Push, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows._bundle.push.Client", _quick)
    code, report = push()
    assert (code, outcome(report)["status"]) == (3, "failed")


@pytest.mark.parametrize("method", PASSED)
@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_told_with_the_registrys_own_words(taker: Taker, push: Push, method: str, status: int) -> None:
    taker.status[method] = status
    code, report = push()
    assert code == 1
    assert f"HTTP {status}: " in outcome(report)["message"]
    assert "DENIED" in outcome(report)["message"]
    assert "the right to push there" in outcome(report)["next"]
    assert not taker.files


def _says_another(taker: Taker) -> str:
    taker.says = f"sha256:{'1' * 64}"
    return f"the registry says sha256:{'1' * 64}"


def _shows_another(taker: Taker) -> str:
    taker.shows = b"{}"
    return "digest pushed sha256:"


def _says_not_where(taker: Taker) -> str:
    taker.location = ""
    return "does not say where to send sha256:"


def _elsewhere_without_tls(taker: Taker) -> str:
    taker.location = "http://registry.test/upload"
    return "no way that cannot be listened to"


def _has_everything_by_one_digest(taker: Taker) -> str:
    taker.nods = {"Docker-Content-Digest": f"sha256:{'1' * 64}"}
    return f"the registry says sha256:{'1' * 64}"


def _has_everything_of_one_size(taker: Taker) -> str:
    taker.nods = {"Content-Length": "4711"}
    return "bytes expected, the registry says 4711"


def _shows_a_page(taker: Taker) -> str:
    taker.nods, taker.shows = {}, b"<html>Welcome"
    return "the answer is no manifest: <html>Welcome"


def _agrees_to_everything(taker: Taker) -> str:
    taker.status = {"POST": 200}
    return "HTTP 200"


@pytest.mark.parametrize(
    "damage",
    [
        _says_another,
        _shows_another,
        _says_not_where,
        _elsewhere_without_tls,
        _has_everything_by_one_digest,
        _has_everything_of_one_size,
        _shows_a_page,
        _agrees_to_everything,
    ],
)
def test_a_registry_that_lies_is_not_named(taker: Taker, push: Push, damage: Callable[[Taker], str]) -> None:
    told = damage(taker)
    code, report = push()
    assert (code, outcome(report)["status"]) == (1, "failed")
    assert told in outcome(report)["message"]
    assert "evidence" not in outcome(report) or "reference" not in outcome(report)["evidence"]
    assert any(words in outcome(report)["next"] for words in ("is not the registry", "name only addresses with https"))


@pytest.mark.parametrize("path", ["", "/", "/v2", "/v2/"])
def test_the_api_is_where_containerd_asks_for_it(folder: Path, taker: Taker, push: Push, path: str) -> None:
    _declare(folder, taker.address, path=path)
    assert push()[0] == 0
    assert all(asked.startswith(("/v2/matrix/group/synapse/", "/upload?")) for _, asked, _ in taker.asked)


def test_an_oci_manifest_that_does_not_say_its_media_type_is_pushed_by_the_archives_list(tmp_path: Path) -> None:
    config = oci.json_blob(CONFIG, {})
    manifest = oci.json_blob(oci.MANIFEST, {"schemaVersion": 2, "config": config.descriptor, "layers": []})
    oci.write_archive("a/b:c", "amd64", manifest, [config], tmp_path / "image.tar")
    image = read_archived(tmp_path / "image.tar", f"sha256:{manifest.digest}")
    assert (image.media, image.manifest) == (oci.MANIFEST, manifest.content)
    with pytest.raises(BundleError, match="is no image"):
        read_archived(tmp_path / "image.tar", f"sha256:{config.digest}")


def test_a_tag_that_means_another_image_is_told_and_moved(folder: Path, taker: Taker, push: Push) -> None:
    tag = load_site(folder).derivations["synapse"].tag(TAG)
    taker.files[f"/v2/matrix/group/synapse/manifests/{tag}"] = b"{}"
    code, report = push("--dry-run")
    assert (code, f"the tag means sha256:{sha256(b'{}')} there" in outcome(report)["message"]) == (2, True)
    assert push()[0] == 0
    assert taker.files[f"/v2/matrix/group/synapse/manifests/{tag}"] != b"{}"


def test_a_damaged_bundle_is_not_sent(folder: Path, taker: Taker, push: Push) -> None:
    file = folder.parent / "bundle" / "images" / "synapse.tar"
    data = bytearray(file.read_bytes())
    data[600] ^= 1
    file.write_bytes(data)
    code, report = push()
    assert code == 1
    assert "has sha256" in outcome(report)["message"]
    assert not taker.asked


def test_an_image_that_the_bundle_does_not_bring_is_told(folder: Path, taker: Taker, push: Push) -> None:
    _declare(folder, taker.address, code={**CODE, "at": "opt/elsewhere"})
    code, report = push()
    assert (code, outcome(report)["message"]) == (1, "the bundle does not bring it")


def test_a_site_without_a_registry_is_told_what_to_write(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {"set": {"images:images.synapse.derived": {"code": CODE}}})
    assert execute(app, "flows.bundle", ["push", str(folder.parent / "bundle"), "--inventory", str(folder)]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "names no registry that takes derived images" in told
    assert "push: {folder: ...}" in told


def test_a_site_that_derives_nothing_has_nothing_to_push(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = yaml.safe_load((folder / "images.yaml").read_text())
    del document["images"]["synapse"]["derived"]
    (folder / "images.yaml").write_text(yaml.safe_dump(document))
    assert execute(app, "flows.bundle", ["push", str(folder.parent / "bundle"), "--inventory", str(folder)]) == 1
    assert "no image is derived" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("address", "mode", "text", "told"),
    [
        ("http://127.0.0.1:9", 0o600, PASSWORD, "in clear"),
        ("https://127.0.0.1:9", 0o644, PASSWORD, "only its owner may read"),
        ("https://127.0.0.1:9", 0o600, "", "holds no password"),
        ("https://127.0.0.1:9", 0o600, None, "cannot be read"),
    ],
)
def test_a_password_that_others_could_learn_is_not_used(
    folder: Path, capsys: pytest.CaptureFixture[str], address: str, mode: int, text: str | None, told: str
) -> None:
    _declare(folder, address, login=True)
    if text is not None:
        _password(folder, text)
        (folder / "registry-password").chmod(mode)
    assert execute(app, "flows.bundle", ["push", str(folder.parent / "bundle"), "--inventory", str(folder)]) == 1
    shown = capsys.readouterr()
    assert told in " ".join(shown.err.split())
    assert PASSWORD not in shown.out + shown.err


def test_a_password_goes_to_no_realm_without_tls(taker: Taker) -> None:
    client = Client(frozenset({"127.0.0.1"}))
    door = Tokens(client, RegistryLogin(USER, PASSWORD))
    with pytest.raises(BundleError, match="gives tokens without TLS"):
        door.answer(f'Bearer realm="{taker.address}/token"')
    assert not taker.asked


def test_an_authority_that_is_none_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _declare(folder, "https://127.0.0.1:9", ca="site.yaml")
    assert execute(app, "flows.bundle", ["push", str(folder.parent / "bundle"), "--inventory", str(folder)]) == 1
    assert "is no authority in PEM" in " ".join(capsys.readouterr().err.split())
