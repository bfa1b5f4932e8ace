"""How each secret is rotated: its steps, those that are left, and what templates make of the time with two values."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretBytes

from model.rollout.preview import preview
from model.rollout.rendered import SecretRef
from model.rollout.rotation_steps import REACHES, Act, SecretUsers, remaining, steps_of
from model.rollout.secret_document import KeptSecret, KeptValue, RotationStage, SecretDocument, dump, parse
from model.rollout.secret_facts import SIGNING_KEY, OldKey, SecretFacts, secret_facts
from model.rollout.secret_kinds import generated, verify_key
from model.rollout.secret_names import kept_refs
from model.rollout.secret_rotation import RotationPlan, rotation_plans
from model.rollout.secret_stages import adopted, ended, forgotten, offered, replaced
from model.rollout.sharers import sharers
from model.site.secrets import KeySpec
from tests.model.rollout.stacks import changed, site, stack

SITE = site()
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REF = SecretRef("redis", "password")


def plan(name: str) -> RotationPlan:
    secret, _, key = name.partition("/")
    (found,) = rotation_plans(SITE, [SecretRef(secret, key)])
    return found


@pytest.mark.parametrize("ref", kept_refs(SITE), ids=lambda ref: f"{ref.name}/{ref.key}")
def test_every_secret_has_a_plan_that_ends_in_a_proof(ref: SecretRef) -> None:
    (found,) = rotation_plans(SITE, [ref])
    assert ref in found.refs
    assert len(found.steps) > 2
    assert found.steps[-1].act is Act.VERIFY
    assert "gap" in found.headline


@pytest.mark.parametrize(
    ("name", "procedure"),
    [
        ("synapse/worker_replication_secret", "stop-all"),
        ("synapse/macaroon_secret_key", "restart"),
        ("synapse-signing-key/signing.key", "signing-key"),
        ("coturn/shared_secret", "two-values"),
        ("livekit/api_secret", "two-values"),
        ("s3-synapse/secret_key", "two-values"),
        ("redis/password", "two-values"),
        ("postgresql-synapse/password", "operator"),
    ],
)
def test_what_has_no_window_of_two_values_is_declared_as_such(name: str, procedure: str) -> None:
    assert plan(name).rotation.procedure == procedure


def test_values_that_a_server_knows_as_a_pair_change_together() -> None:
    assert {ref.key for ref in plan("s3-synapse/secret_key").refs} == {"access_key", "secret_key"}
    assert [ref.key for ref in plan("synapse/form_secret").refs] == ["form_secret"]


@pytest.mark.parametrize(("name", "servers"), [("redis/password", ("redis",)), ("redis-sentinel/password", ("redis",))])
def test_who_accepts_both_is_what_the_templates_say(name: str, servers: tuple[str, ...]) -> None:
    found = plan(name)
    assert not found.obstacle
    assert [step.components for step in found.steps if step.act is Act.ROLL_OUT] == [servers, found.components, servers]


@pytest.mark.parametrize("name", ["coturn/shared_secret", "livekit/api_secret"])
def test_where_no_component_accepts_two_values_nobody_says_so(name: str) -> None:
    assert "no component of the site accepts two values" in plan(name).obstacle


def test_each_value_that_a_person_brings_is_asked_for_by_a_command_of_its_own() -> None:
    mail = {"host": "mail.example.test", "login": True}
    known = site(changed(features={"smtp": True}, mail=mail))
    (found,) = rotation_plans(known, [SecretRef("smtp", key) for key in ("username", "password")])
    commands = [step.words for step in found.steps if "flows.secrets import" in step.words]
    assert commands == [f"python -m flows.secrets import smtp/{key} --stdin" for key in ("username", "password")]


@pytest.mark.parametrize("procedure", ["restart", "two-values", "operator", "stop-all", "signing-key"])
def test_what_is_left_of_a_rotation_begins_behind_the_stage_it_has_reached(procedure: str) -> None:
    steps = steps_of(procedure, SecretUsers(name="a/b", components=("one",), accepting=("one",)))  # type: ignore[arg-type]
    assert remaining(steps, None) == steps
    reached = [(number, REACHES[step.act]) for number, step in enumerate(steps) if step.act in REACHES]
    assert reached
    assert reached[-1][1] is RotationStage.REPLACED
    for number, stage in reached:
        assert remaining(steps, stage) == steps[number + 1 :]


def test_a_stage_that_a_procedure_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError, match="offered"):
        remaining(steps_of("restart", SecretUsers(name="a/b", components=())), RotationStage.OFFERED)


def value(text: str, made: datetime = NOW) -> KeptValue:
    return KeptValue(value=SecretBytes(text.encode()), made=made, origin="generated")


def test_the_stages_of_two_values_survive_the_store_and_end_with_one() -> None:
    begun = SecretDocument(
        realm="main", index_key=SecretBytes(b"k"), secrets={REF: KeptSecret(current=value("old"), former=(value("x"),))}
    )
    later = NOW + timedelta(hours=1)
    seen = []
    document = parse(dump(offered(begun, {REF: value("new")})))
    seen.append((document.secrets[REF].current, document.secrets[REF].accepted, secret_facts([document]).windows))
    document = parse(dump(adopted(document, [REF], later)))
    seen.append((document.secrets[REF].current, document.secrets[REF].accepted, secret_facts([document]).windows))
    document = parse(dump(forgotten(document, [REF], later)))
    seen.append((document.secrets[REF].current, document.secrets[REF].accepted, secret_facts([document]).windows))
    new = value("new", later)
    assert seen == [
        (value("old"), value("new"), frozenset({REF})),
        (new, value("old"), frozenset({REF})),
        (new, None, frozenset()),
    ]
    # What was replaced before stays until this rotation is proven.
    gone = replace(value("old"), retired=later)
    assert document.secrets[REF].former == (gone, value("x"))
    document = parse(dump(ended(document, [REF], 1)))
    assert document.secrets[REF] == KeptSecret(current=new, former=(gone,))


def test_a_value_that_is_replaced_at_once_is_never_accepted_beside_another() -> None:
    begun = SecretDocument(realm="main", index_key=SecretBytes(b"k"), secrets={REF: KeptSecret(current=value("old"))})
    document = parse(dump(replaced(begun, {REF: value("new")}, NOW)))
    kept = document.secrets[REF]
    assert (kept.current, kept.accepted, kept.stage) == (value("new"), None, RotationStage.REPLACED)
    assert kept.former == (replace(value("old"), retired=NOW),)
    with pytest.raises(ValueError, match="nothing is offered"):
        adopted(document, [REF], NOW)


@pytest.mark.parametrize(("name", "file"), [("redis", "redis.conf"), ("redis-sentinel", "sentinel.conf")])
def test_two_passwords_count_only_while_one_is_rotated(name: str, file: str) -> None:
    (component,) = [component for component in SITE.components if component.name == "redis"]
    ref = SecretRef(name, "password")
    closed = preview(SITE, component).rendered
    opened = preview(SITE, component, facts=SecretFacts(windows=frozenset({ref}))).rendered
    assert f"requirepass {ref.marker}" in closed.files[file]
    assert not {ref for ref in closed.secrets if ref.key.endswith("+accepted")}
    assert f"user default on ~* &* +@all >{ref.marker} >{ref.accepted.marker}" in opened.files[file]
    assert "requirepass" not in opened.files[file]
    assert {name for name in opened.files if opened.files[name] != closed.files[name]} == {file}


def test_of_another_provider_only_what_its_templates_bear_is_carried_out() -> None:
    external = site(changed(object_storage={"provider": "external", "endpoint": "https://s3.example.test"}))
    (found,) = rotation_plans(external, [SecretRef("s3-synapse", "secret_key")])
    assert "from a person" in found.obstacle


def test_an_operator_is_whoever_a_labelled_secret_is_handed_to() -> None:
    found = plan("postgresql-synapse/password")
    assert not found.obstacle
    rolled = [step.components for step in found.steps if step.act is Act.ROLL_OUT]
    assert rolled == [("postgresql",), ("synapse",)]
    assert "no component of the site hands it to an operator" in plan("postgresql-sync/password").obstacle


def test_the_object_storage_knows_two_pairs_only_while_one_is_rotated() -> None:
    (component,) = [component for component in SITE.components if component.name == "seaweedfs"]
    refs = frozenset({SecretRef("s3-synapse", "access_key"), SecretRef("s3-synapse", "secret_key")})
    closed = preview(SITE, component).rendered
    opened = preview(SITE, component, facts=SecretFacts(windows=refs)).rendered
    pairs = {"closed": _pairs(closed.files["s3.json"]), "opened": _pairs(opened.files["s3.json"])}
    used = tuple(SecretRef("s3-synapse", key).marker for key in ("access_key", "secret_key"))
    other = tuple(SecretRef("s3-synapse", key).accepted.marker for key in ("access_key", "secret_key"))
    assert pairs == {"closed": {used}, "opened": {used, other}}
    assert {name for name in opened.files if opened.files[name] != closed.files[name]} == {"s3.json"}


def _pairs(text: str) -> set[tuple[str, str]]:
    (identity,) = [found for found in json.loads(text)["identities"] if found["name"] == "synapse"]
    return {(found["accessKey"], found["secretKey"]) for found in identity["credentials"]}


def signing(seed: int, made: datetime = NOW) -> KeptValue:
    return value(generated(KeySpec(kind="signing-key"), lambda count: bytes([seed]) * count).decode(), made)


def test_signing_keys_that_are_not_in_use_hold_until_the_last_process_has_changed_over() -> None:
    first, second, later = signing(1), signing(2), NOW + timedelta(days=30)
    ids = {seed: verify_key(signing(seed).value.get_secret_value())[0] for seed in (1, 2)}
    document = SecretDocument(
        realm="main", index_key=SecretBytes(b"k"), secrets={SIGNING_KEY: KeptSecret(current=first)}
    )
    assert secret_facts([document]).old_keys == {}
    document = offered(document, {SIGNING_KEY: second})
    assert {name: key.expires > NOW for name, key in secret_facts([document]).old_keys.items()} == {ids[2]: True}
    document = adopted(document, [SIGNING_KEY], later)
    assert {name: key.expires > later for name, key in secret_facts([document]).old_keys.items()} == {ids[1]: True}
    document = ended(forgotten(document, [SIGNING_KEY], later), [SIGNING_KEY], 1000)
    (old,) = secret_facts([parse(dump(document))]).old_keys.items()
    assert (old[0], old[1].expires) == (ids[1], later)
    raw = verify_key(first.value.get_secret_value())[1].public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert base64.b64decode(old[1].public + "=") == raw


def test_synapse_is_told_of_old_signing_keys_and_of_nothing_where_there_are_none() -> None:
    (component,) = [component for component in SITE.components if component.name == "synapse"]
    old = OldKey(public="c3", expires=NOW)
    told = preview(SITE, component, facts=SecretFacts(old_keys={"ed25519:a_b": old})).rendered
    assert yaml.safe_load(told.files["homeserver.yaml"])["old_signing_keys"] == {
        "ed25519:a_b": {"key": "c3", "expired_ts": int(NOW.timestamp() * 1000)}
    }
    assert "old_signing_keys" not in preview(SITE, component).rendered.files["homeserver.yaml"]


def test_whoever_mounts_a_secret_shares_it() -> None:
    ref = SecretRef("synapse", "worker_replication_secret")
    known = [part for part in stack("5000 with autoscaling").components if part.name in ("synapse", "haproxy", "redis")]
    found = {sharer.name: sharer.least for sharer in sharers(known, [ref])}
    assert {sharer.component for sharer in sharers(known, [ref])} == {"synapse"}
    wanted = {
        str(manifest["metadata"]["name"])
        for part in known
        for manifest in part.objects
        if part.name == "synapse" and manifest["kind"] == "StatefulSet"
    }
    assert set(found) == wanted
    assert found["synapse-main"] is None
    assert any(least for least in found.values())
    assert sharers(known, [SecretRef("synapse", "registration_shared_secret")])[0].name == "synapse-main"
