"""What compliance can tell of a store without its key: files, recipients, and values that two realms share."""

from __future__ import annotations

from pathlib import Path

from flows._compliance.sources import kept_secrets
from model.check.judgement.secrets import missing, shared, weak
from model.rollout.rendered import SecretRef
from tests.flows.secret_site import SecretSite


def test_a_store_in_order_has_nothing_to_tell(site: SecretSite) -> None:
    seen = kept_secrets(site.folder)
    assert seen.exposed == ()
    assert list(missing(site.store.site, seen.indexes)) == []
    assert [*shared(seen.indexes), *weak(seen.indexes)] == []
    assert all(index.compared for index in seen.indexes.values())


def test_before_there_is_a_store_nothing_is_seen(tmp_path: Path) -> None:
    assert kept_secrets(tmp_path).indexes == {}


def test_files_that_others_may_read_or_that_are_in_clear_are_named(site: SecretSite) -> None:
    store = site.folder / "secrets"
    (store / "main.age").chmod(0o644)
    (store / "li.age").write_bytes(b"redis: in clear\n")
    (store / "notes.txt").write_text("a password", "utf-8")
    (store / "notes.txt").chmod(0o600)
    assert kept_secrets(site.folder).exposed == (
        "secrets/li.age: is not encrypted",
        "secrets/main.age: others may read it",
        "secrets/notes.txt: is none of the store's files",
    )


def test_a_value_of_both_realms_is_told_by_the_index_alone(site: SecretSite) -> None:
    store = site.store
    same = store.value("synapse", "form_secret")
    store.keep("li", {SecretRef("synapse-li", "form_secret"): same}, "provided")
    (flaw,) = shared(kept_secrets(site.folder).indexes)
    assert (flaw.name, flaw.message) == ("synapse-li/form_secret", "has the same value as synapse/form_secret")


def test_a_weak_value_is_told_by_the_index_alone(site: SecretSite) -> None:
    site.store.keep("main", {SecretRef("redis", "password"): b"CHANGEME"}, "imported")
    (flaw,) = weak(kept_secrets(site.folder).indexes)
    assert (flaw.name, flaw.message) == ("redis/password", "is still CHANGEME")


def test_an_index_that_cannot_be_read_hides_and_is_not_taken_for_none(site: SecretSite) -> None:
    (site.folder / "secrets" / "main.index.json").write_text("{", "utf-8")
    assert "main.index.json is no index" in kept_secrets(site.folder).hidden
