"""The store: only what is missing is made, files are private and whole, each way to fail says what is wrong."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretBytes
from pyrage import x25519

from model.errors import NotARecipient, SecretsUnreadable, SelectionError, SiteError
from model.rollout import veil
from model.rollout.rendered import SecretRef
from model.rollout.secret_document import KeptValue
from model.rollout.secret_stages import adopted, ended, forgotten, offered, replaced
from model.site.secrets import SecretKeeping
from model.site.site import Site
from tasks.secrets import identity
from tasks.secrets.files import KEPT_VERSIONS
from tasks.secrets.identity import VARIABLE, make_identity, read_identity
from tasks.secrets.store import SecretStore, open_store
from tests import mutation


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = tmp_path / "identity"
    make_identity(path)
    monkeypatch.setenv(VARIABLE, str(path))
    return path


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return mutation.site(tmp_path / "site")


def with_recipients(site: Site, **realms: tuple[str, ...]) -> Site:
    keeping = SecretKeeping.model_validate({"recipients": realms})
    return replace(site, settings=site.settings.model_copy(update={"secrets": keeping}))


def files(site: Site) -> dict[str, bytes]:
    folder = site.folder / "secrets"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_missing_is_made_once_and_read_back_by_another_run(site: Site, key: Path) -> None:
    store = open_store(site)
    assert store.missing()
    made = store.generate_missing()
    assert set(made) == {SecretRef(spec.name, name) for spec in site.secrets for name, _ in spec.kept()}
    again = open_store(site)
    assert again.missing() == ()
    assert again.generate_missing() == ()
    assert again.value("redis", "password") == store.value("redis", "password")
    assert again.value("postgresql-synapse", "username") == b"synapse"
    assert abs((datetime.now(UTC) - again.made("redis")).total_seconds()) < 60


def test_what_a_run_made_or_read_is_shown_by_no_error_of_it(
    site: Site, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.rollout.veil._REMEMBERED", set())
    open_store(site).generate_missing()
    made = set(veil._REMEMBERED)
    monkeypatch.setattr("model.rollout.veil._REMEMBERED", set())
    value = open_store(site).value("redis", "password")
    assert value in made
    assert veil.veiled(f"cannot use {value.decode()}") == "cannot use (secret)"


def test_a_second_run_writes_nothing(site: Site, key: Path) -> None:
    open_store(site).generate_missing()
    before = files(site)
    open_store(site).generate_missing()
    assert files(site) == before


def test_what_is_there_is_not_touched_when_something_is_added(site: Site, key: Path) -> None:
    store = open_store(site)
    store.keep("main", {SecretRef("redis", "password"): b"brought-by-somebody-before"}, "provided")
    store.generate_missing()
    assert open_store(site).value("redis", "password") == b"brought-by-somebody-before"


def test_files_are_their_owners_alone_and_hold_no_value(site: Site, key: Path) -> None:
    os.umask(0)
    try:
        store = open_store(site)
        store.generate_missing()
        store.keep("main", {SecretRef("redis", "password"): b"x" * 30}, "provided")
    finally:
        os.umask(0o022)
    folder = site.folder / "secrets"
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (folder, folder / "former")} == {0o700}
    values = [store.value(spec.name, name).strip() for spec in site.secrets for name, _ in spec.kept()]
    assert [name for name, content in files(site).items() for value in values if value in content] == []


def test_former_versions_are_kept_and_bounded(site: Site, key: Path) -> None:
    store = open_store(site)
    for number in range(KEPT_VERSIONS + 3):
        store.keep("main", {SecretRef("redis", "password"): b"value-number-%d" % number}, "provided")
    former = sorted((site.folder / "secrets" / "former").iterdir())
    assert len(former) == KEPT_VERSIONS
    shutil.copy(former[-1], site.folder / "secrets" / "main.age")
    assert open_store(site).value("redis", "password") == b"value-number-%d" % (KEPT_VERSIONS + 1)


def begin(site: Site, *names: str) -> None:
    """Begin rotations of passwords, each with a write of its own."""
    for name in names:
        ref, now = SecretRef(name, "password"), datetime.now(UTC)
        store = open_store(site)
        store.save(replaced(store.document("main"), {ref: kept(now)}, now))


def end(site: Site, *names: str) -> None:
    for name in names:
        store = open_store(site)
        store.save(ended(store.document("main"), [SecretRef(name, "password")], 1))


def kept(now: datetime) -> KeptValue:
    return KeptValue(value=SecretBytes(os.urandom(16).hex().encode()), made=now, origin="generated")


def versions(site: Site) -> list[bytes]:
    """What former versions there are, newest first."""
    folder = site.folder / "secrets" / "former"
    return [path.read_bytes() for path in sorted(folder.iterdir(), reverse=True)] if folder.exists() else []


def current(site: Site) -> bytes:
    return (site.folder / "secrets" / "main.age").read_bytes()


def test_however_often_a_rotation_writes_the_version_before_it_is_the_only_one_it_adds(site: Site, key: Path) -> None:
    open_store(site).generate_missing()
    ref, now = SecretRef("redis", "password"), datetime.now(UTC)
    before, store = current(site), open_store(site)
    document = offered(store.document("main"), {ref: kept(now)})
    for step in (document, adopted(document, [ref], now), forgotten(adopted(document, [ref], now), [ref], now)):
        # Each step may be that of another run.
        again = open_store(site)
        again.document("main")
        again.save(step)
        assert versions(site) == [before]
    end(site, "redis")
    assert versions(site) == [before]
    rotated = current(site)
    begin(site, "redis")
    assert versions(site) == [rotated, before]


def test_the_version_before_a_rotation_stays_until_the_next_one_of_that_secret_begins(site: Site, key: Path) -> None:
    open_store(site).generate_missing()
    before = current(site)
    begin(site, "redis")
    end(site, "redis")
    for number in range(KEPT_VERSIONS + 2):
        open_store(site).keep("main", {SecretRef("s3-admin", "secret_key"): b"number-%d" % number * 5}, "provided")
        begin(site, "redis-sentinel")
        end(site, "redis-sentinel")
    assert versions(site)[-1] == before
    assert len(versions(site)) == KEPT_VERSIONS + 1
    begin(site, "redis")
    assert before not in versions(site)
    assert len(versions(site)) == KEPT_VERSIONS


def test_what_is_written_beside_a_rotation_that_has_not_ended_leaves_a_version(site: Site, key: Path) -> None:
    open_store(site).generate_missing()
    first = current(site)
    begin(site, "redis")
    second = current(site)
    open_store(site).keep("main", {SecretRef("s3-admin", "secret_key"): b"x" * 40}, "provided")
    third = current(site)
    begin(site, "redis-sentinel")
    assert versions(site) == [third, second, first]


def test_a_write_that_fails_leaves_what_was_there(site: Site, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(site).generate_missing()
    before = files(site)
    monkeypatch.setattr(os, "fsync", lambda _handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(SiteError, match="No space left"):
        open_store(site).keep("main", {SecretRef("redis", "password"): b"y" * 30}, "provided")
    after = files(site)
    assert {name: after[name] for name in before} == before
    assert not [name for name in after if name.endswith(".draft")]


def test_the_realms_are_files_of_their_own_for_recipients_of_their_own(
    site: Site, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, officer = read_identity(key).recipient, tmp_path / "officer"
    make_identity(officer)
    closed = with_recipients(site, main=(own,), li=(own, read_identity(officer).recipient))
    store = open_store(closed)
    store.generate_missing()
    assert store.has("key-vault", "rsa_private_key")
    monkeypatch.setenv(VARIABLE, str(officer))
    theirs = open_store(closed)
    assert theirs.value("key-vault", "rsa_private_key").startswith(b"-----BEGIN PRIVATE KEY")
    with pytest.raises(NotARecipient, match=r"main\.age: was not encrypted for the key in .*officer"):
        theirs.value("redis", "password")


def test_who_may_not_read_lis_secrets_goes_on_with_the_others(site: Site, key: Path, tmp_path: Path) -> None:
    officer = tmp_path / "officer"
    make_identity(officer)
    closed = with_recipients(site, main=(read_identity(key).recipient,), li=(read_identity(officer).recipient,))
    store = open_store(closed)
    assert store.readable() == ("main",)
    assert "key-vault" not in {ref.name for ref in store.generate_missing()}
    assert not (site.folder / "secrets" / "li.age").exists()
    assert store.missing() == ()


def test_nobody_writes_what_they_could_not_read(site: Site, key: Path) -> None:
    stranger = str(x25519.Identity.generate().to_public())
    store = open_store(with_recipients(site, main=(stranger,)))
    with pytest.raises(NotARecipient, match=r"recipients\.main does not name the key of who runs this"):
        store.generate_missing()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda content: content[:-5], "is damaged"),
        (lambda content: content[:-5] + b"aaaaa", "is damaged"),
        (lambda _content: b"", "is damaged"),
        (lambda _content: b"redis: password\n", "is damaged"),
    ],
)
def test_a_damaged_file_is_named_and_never_replaced(
    site: Site, key: Path, damage: Callable[[bytes], bytes], says: str
) -> None:
    open_store(site).generate_missing()
    path = site.folder / "secrets" / "main.age"
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(SecretsUnreadable, match=says) as caught:
        open_store(site).generate_missing()
    assert "former" in caught.value.next_step
    assert path.read_bytes() == before


def test_a_file_that_is_gone_while_former_ones_are_there_is_not_begun_anew(site: Site, key: Path) -> None:
    store = open_store(site)
    store.generate_missing()
    store.keep("main", {SecretRef("redis", "password"): b"z" * 30}, "provided")
    (site.folder / "secrets" / "main.age").unlink()
    with pytest.raises(SecretsUnreadable, match="is gone"):
        open_store(site).generate_missing()


def test_exchanged_files_are_found(site: Site, key: Path) -> None:
    open_store(site).generate_missing()
    folder = site.folder / "secrets"
    shutil.copy(folder / "li.age", folder / "main.age")
    with pytest.raises(SecretsUnreadable, match="files were exchanged"):
        open_store(site).value("redis", "password")


def test_a_rehearsal_lacks_nothing_and_leaves_nothing(site: Site, key: Path) -> None:
    store = open_store(site)
    rehearsal = store.rehearsal()
    assert rehearsal.missing() == ()
    assert len(rehearsal.value("redis", "password")) == 40
    assert not (site.folder / "secrets").exists()
    with pytest.raises(SiteError, match="no value of the secret redis/password"):
        store.value("redis", "password")


def test_an_unknown_secret_is_answered_with_one_that_is_near(site: Site, key: Path) -> None:
    store = open_store(site)
    with pytest.raises(SelectionError, match="did you mean redis"):
        store.value("reddis", "password")
    with pytest.raises(SelectionError, match="did you mean password"):
        store.value("redis", "pasword")


def test_what_a_person_must_bring_is_missing_and_not_made(tmp_path: Path, key: Path) -> None:
    site = mutation.site(tmp_path / "site", set={"site:features.smtp": True})
    store = open_store(site)
    store.generate_missing()
    assert {ref.name for ref in store.missing()} == {"smtp"}
    with pytest.raises(SiteError, match="smtp/password") as caught:
        store.value("smtp", "password")
    assert caught.value.next_step == "python -m flows.secrets import smtp/password --stdin"


def test_the_process_leaves_no_core_dump(site: Site, key: Path) -> None:
    open_store(site)
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0


def test_an_ssh_key_opens_the_store(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("ed25519", "rsa"):
        path = tmp_path / kind
        subprocess.run(("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path), check=True)
        monkeypatch.setenv(VARIABLE, str(path))
        open_store(site).generate_missing()
        assert open_store(site).value("redis", "password")
        shutil.rmtree(site.folder / "secrets")


def test_keys_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    locked, other, loose = tmp_path / "locked", tmp_path / "ecdsa", tmp_path / "loose"
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", locked), check=True)
    subprocess.run(("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", other), check=True)
    make_identity(loose)
    loose.chmod(0o640)
    for path, says in ((locked, "passphrase"), (other, "ed25519 and rsa"), (loose, "others may read")):
        with pytest.raises(SiteError, match=says):
            read_identity(path)
    with pytest.raises(SiteError, match="No such file"):
        read_identity(tmp_path / "none")
    damaged = tmp_path / "damaged"
    damaged.write_text("AGE-SECRET-KEY-1ABC\n", "utf-8")
    damaged.chmod(0o600)
    with pytest.raises(SiteError, match="damaged"):
        read_identity(damaged)


def test_without_any_key_the_next_step_makes_one(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SiteError, match="no key opens") as caught:
        open_store(site).generate_missing()
    assert "recipients --init" in caught.value.next_step
    path = make_identity(identity.home_identity()).path
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_store(site).generate_missing()
    with pytest.raises(SiteError, match="never overwritten"):
        make_identity(path)


def test_the_environment_comes_before_the_site_and_the_site_before_the_home(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv(VARIABLE, raising=False)
    paths = {name: tmp_path / name for name in ("environment", "declared")}
    for path in paths.values():
        make_identity(path)
    home = make_identity(identity.home_identity()).path
    assert [found.path for found in identity.identities(site)] == [home]
    keeping = SecretKeeping(identity=str(paths["declared"]))
    site = replace(site, settings=site.settings.model_copy(update={"secrets": keeping}))
    assert [found.path for found in identity.identities(site)] == [paths["declared"]]
    monkeypatch.setenv(VARIABLE, str(paths["environment"]))
    assert [found.path for found in identity.identities(site)] == [paths["environment"]]


def test_no_text_of_a_store_shows_a_value(site: Site, key: Path) -> None:
    store = open_store(site)
    store.generate_missing()
    value = store.value("redis", "password").decode()
    assert value not in repr(store)
    assert value not in repr(SecretStore(site, rehearses=True))
    assert "AGE-SECRET-KEY" not in repr(read_identity(key))
