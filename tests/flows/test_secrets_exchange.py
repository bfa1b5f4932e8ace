"""Secrets handed on and taken over: between controllers, from people, from a cluster; and for whom they are kept."""

from __future__ import annotations

import base64
import io
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from model.rollout.fill import fill
from model.rollout.own_objects import own_objects
from model.rollout.secret_names import kept_refs
from tasks.secrets.identity import VARIABLE, make_identity
from tests.flows.secret_site import SecretSite, everything_in, leaks

PASSWORD = b"pAssW0rdThatTheClusterHoldsAlready"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SecretSite:
    return SecretSite(tmp_path, monkeypatch)


def declare(site: SecretSite, **keeping: object) -> None:
    path = site.folder / "site.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text("utf-8")), "secrets": keeping}), "utf-8")


def row(report: dict[str, Any], subject: str) -> dict[str, Any]:
    (found,) = [outcome for outcome in report["outcomes"] if outcome["subject"] == subject]
    return dict(found)


def type_in(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False, buffer=io.BytesIO(content)))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> dict[str, Mapping[str, bytes]]:
    """Secrets of a cluster, by `NAMESPACE/NAME`, as a test fills them in."""
    secrets: dict[str, Mapping[str, bytes]] = {}

    def find(path: str) -> dict[str, Any] | None:
        _, _, _, _, namespace, _, name = path.split("/")
        if f"{namespace}/{name}" not in secrets:
            return None
        data = {key: base64.b64encode(value).decode() for key, value in secrets[f"{namespace}/{name}"].items()}
        return {"metadata": {"creationTimestamp": "2026-01-02T03:04:05Z"}, "data": data}

    @contextmanager
    def opened(*_: object) -> Iterator[Any]:
        yield SimpleNamespace(find=find)

    monkeypatch.setattr("remote.kube.open_cluster", opened)
    return secrets


def test_what_the_cluster_holds_and_the_store_lacks_is_taken_over(
    site: SecretSite, cluster: dict[str, Mapping[str, bytes]]
) -> None:
    cluster["matrix/redis"] = {"password": PASSWORD, "other": b"x"}
    cluster["matrix/postgresql-synapse"] = {"username": b"synapse", "password": b"with/and+and="}
    assert site.run("import", "--dry-run", "--quiet")[0] == 2
    assert not (site.folder / "secrets").exists()
    code, report = site.run("import", "--quiet")
    assert code == 0
    assert row(report, "secret/redis/password")["status"] == "changed"
    assert "cannot bear" in row(report, "secret/postgresql-synapse/password")["message"]
    assert site.store.value("redis", "password") == PASSWORD
    assert f"{site.store.made('redis'):%Y-%m-%d}" == "2026-01-02"
    code, report = site.run("import", "--quiet")
    assert (code, {outcome["status"] for outcome in report["outcomes"]}) == (0, {"ok"})
    assert leaks(site.values(), everything_in(site.folder)) == []


def test_a_cluster_without_secrets_is_not_taken_for_one_that_agrees(
    site: SecretSite, cluster: dict[str, Mapping[str, bytes]]
) -> None:
    code, report = site.run("import", "--quiet")
    assert (code, report["good"]) == (0, False)
    assert "holds none of" in row(report, "secrets")["message"]


def test_what_differs_is_drift_and_taken_over_only_by_its_name(
    site: SecretSite, cluster: dict[str, Mapping[str, bytes]]
) -> None:
    site.fill()
    mine = site.store.value("redis", "password")
    cluster["matrix/redis"] = {"password": PASSWORD}
    code, report = site.run("import", "--quiet")
    assert code == 2
    assert "differs from the cluster's Secret matrix/redis" in row(report, "secret/redis/password")["message"]
    assert site.store.value("redis", "password") == mine
    assert site.run("import", "redis", "--quiet")[0] == 0
    assert site.store.value("redis", "password") == PASSWORD
    assert mine in set(site.values())


def test_what_stands_in_the_rollouts_own_secrets_is_found_there(
    site: SecretSite, cluster: dict[str, Mapping[str, bytes]]
) -> None:
    """A store that was lost is filled from the cluster: from Secrets of other names, and out of configuration files."""
    site.fill()
    before = {ref: site.store.value(ref.name, ref.key) for ref in kept_refs(site.store.site)}
    held: dict[str, dict[str, bytes]] = {}
    for component in own_objects(site.store.site):
        for manifest in component.objects:
            if manifest["kind"] == "Secret":
                filled = fill(manifest, lambda ref: site.store.value(ref.name, ref.key))
                meta = manifest["metadata"]
                held[f"{meta['namespace']}/{meta['name']}"] = {
                    key: base64.b64decode(text) for key, text in filled["data"].items()
                }
    cluster.update(held)
    shutil.rmtree(site.folder / "secrets")
    assert site.run("import", "--quiet")[0] == 0
    found = {ref for component in own_objects(site.store.site) for ref in component.secrets} & before.keys()
    assert len(found) > 10
    assert {ref for ref in found if not site.store.has(ref.name, ref.key)} == set()
    assert {ref for ref in found if site.store.value(ref.name, ref.key) != before[ref]} == set()


def test_a_secret_of_another_name_is_found_by_it(site: SecretSite, cluster: dict[str, Mapping[str, bytes]]) -> None:
    cluster["default/redis-password"] = {"pw": PASSWORD}
    assert site.run("import", "redis/password", "--from", "default/redis-password/pw", "--quiet")[0] == 0
    assert site.store.value("redis", "password") == PASSWORD
    assert site.run("import", "redis", "synapse", "--from", "default/redis-password", "--quiet")[0] == 1
    assert site.run("import", "redis", "--from", "default/none", "--quiet")[0] == 1


def test_a_value_of_a_person_comes_by_standard_input(site: SecretSite, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, PASSWORD + b"\n")
    assert site.run("import", "redis/password", "--stdin", "--quiet")[0] == 0
    assert site.store.value("redis", "password") == PASSWORD
    for wrong in (b"CHANGEME\n", b"\n", b"short"):
        type_in(monkeypatch, wrong)
        code, report = site.run("import", "redis/password", "--stdin", "--quiet")
        assert code == 1
        assert "what was given" in report["outcomes"][0]["message"]
    assert site.store.value("redis", "password") == PASSWORD


def test_a_value_of_several_lines_stays_whole(site: SecretSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.fill()
    pem = site.store.value("key-vault", "rsa_private_key")
    type_in(monkeypatch, pem)
    assert site.run("import", "key-vault/rsa_private_key", "--stdin", "--quiet")[0] == 0
    assert site.store.value("key-vault", "rsa_private_key") == pem


def test_what_is_exported_only_its_recipients_take_in(
    site: SecretSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.fill()
    (tmp_path / "there").mkdir()
    file, mine = tmp_path / "handed-on.age", site.store.value("redis", "password")
    there = SecretSite(tmp_path / "there", monkeypatch)
    monkeypatch.setenv(VARIABLE, str(site.key))
    assert site.run("export", "--output", str(file), "--recipient", there.recipient, "--quiet")[0] == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert leaks(site.values(), {"file": file.read_bytes()}) == []
    assert site.run("export", "--output", str(file), "--quiet")[0] == 1
    assert site.run("import", "--file", str(file), "--quiet")[0] == 1
    monkeypatch.setenv(VARIABLE, str(there.key))
    assert there.run("import", "--file", str(file), "--quiet")[0] == 0
    assert there.store.value("redis", "password") == mine
    assert {spec.realm for spec in there.store.site.secrets if there.store.document(spec.realm).secrets} == {"main"}
    assert there.run("generate", "--quiet")[0] == 0
    assert there.store.value("redis", "password") == mine


def test_of_both_realms_nothing_is_exported_into_one_file(site: SecretSite, tmp_path: Path) -> None:
    site.fill()
    file = tmp_path / "out.age"
    code, report = site.run("export", "redis", "key-vault", "--output", str(file), "--quiet")
    assert code == 1
    assert "each realm to a file of its own" in report["outcomes"][0]["message"]
    assert site.run("export", "redis", "--output", str(file), "--dry-run", "--quiet")[0] == 2
    assert site.run("export", "redis", "--output", str(file), "--recipient", "nobody", "--quiet")[0] == 1
    assert not file.exists()
    assert site.run("export", "key-vault", "--output", str(file), "--quiet")[0] == 0


def test_a_new_recipient_can_read_after_recipients_and_a_former_one_no_longer(
    site: SecretSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.fill()
    other = make_identity(tmp_path / "other")
    declare(site, recipients={"main": [site.recipient, other.recipient]})
    code, report = site.run("recipients", "--dry-run", "--quiet")
    assert code == 2
    assert row(report, "secrets/main")["evidence"] == [f"+ {other.recipient}"]
    assert site.run("recipients", "--quiet")[0] == 0
    monkeypatch.setenv(VARIABLE, str(other.path))
    assert site.store.value("redis", "password")
    assert site.store.readable() == ("main",)
    declare(site, recipients={"main": [other.recipient]})
    code, report = site.run("recipients", "--quiet")
    assert code == 0
    assert "rotate" in row(report, "secrets/main/removed")["next"]
    monkeypatch.setenv(VARIABLE, str(site.key))
    assert site.run("status", "--quiet")[0] == 1


def test_a_key_is_made_where_none_is_and_never_over_one(
    site: SecretSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    assert site.run("generate", "--quiet")[0] == 1
    assert site.run("recipients", "--init", "--dry-run", "--quiet")[0] == 2
    code, report = site.run("recipients", "--init", "--quiet")
    assert code == 0
    path = tmp_path / "home" / ".config" / "matrix-fleet" / "identity"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "keep a copy" in row(report, "secrets/key")["next"] if len(report["outcomes"]) == 3 else True
    before = path.read_bytes()
    assert site.run("recipients", "--init", "--quiet")[0] == 1
    assert path.read_bytes() == before
    assert site.run("generate", "--quiet")[0] == 0
    assert b"AGE-SECRET-KEY" not in b"".join(everything_in(site.folder).values())


def test_an_index_that_was_damaged_is_written_anew(site: SecretSite) -> None:
    site.fill()
    (site.folder / "secrets" / "main.index.json").write_text("{", "utf-8")
    assert site.run("status", "--quiet")[0] == 0
    assert site.run("recipients", "--quiet")[0] == 0
    assert b"matrix-fleet/secrets-index/1" in (site.folder / "secrets" / "main.index.json").read_bytes()
