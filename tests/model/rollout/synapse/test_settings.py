"""Every setting that is rendered is one that Synapse documents there; a misspelt one is named with its place."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from model.rollout.synapse.check_files import parsed_files
from model.rollout.synapse.duties import duties
from model.rollout.synapse.settings import KnownSettings, known_settings, misspelt
from tests.model.rollout.stacks import SITES
from tests.model.rollout.synapse.synapse_sites import VERSION, rendered, running, site


def known(version: str = VERSION) -> KnownSettings:
    found = known_settings(version)
    assert found is not None
    return found


@pytest.mark.parametrize("name", SITES)
def test_what_is_rendered_is_documented(name: str) -> None:
    of = SITES[name]()
    assert misspelt(parsed_files(rendered(of, "synapse"), running(of)), known()) == ()


def test_every_file_of_every_process_is_held_to_the_settings() -> None:
    of = site(5000, federation=True, smtp=True)
    files = parsed_files(rendered(of, "synapse"), running(of))
    pools = {f"synapse-{pool.name}.yaml" for pool in running(of).pools}
    assert files.keys() == {"homeserver.yaml", "mail.yaml", *pools}
    spoiled = {name: {**config, "worker_nmae": 1} for name, config in files.items()}
    sentence = f"Synapse {VERSION} documents no setting worker_nmae; did you mean worker_name?"
    assert set(misspelt(spoiled, known())) == {f"{name}: {sentence}" for name in files}


RED = (
    ("enable_registartion: false", "enable_registartion; did you mean enable_registration?"),
    ("email: {smtp_hots: x}", "email.smtp_hots; did you mean smtp_host?"),
    ("email: {subjects: {pasword_reset: x}}", "email.subjects.pasword_reset; did you mean password_reset?"),
    ("listeners: [{port: 1}, {prot: 1}]", "listeners[1].prot; did you mean port?"),
    ("listeners: [{resources: [{naems: [client]}]}]", "listeners[0].resources[0].naems; did you mean names?"),
    ("rc_login: {adress: {per_second: 1}}", "rc_login.adress; did you mean address?"),
    ("rc_login: {address: {per_secnd: 1}}", "rc_login.address.per_secnd; did you mean per_second?"),
    ("rc_profile: {burst: 1}", "rc_profile.burst; did you mean burst_count?"),
    ("retention: {purge_jobs: [{intervall: 1d}]}", "retention.purge_jobs[0].intervall; did you mean interval?"),
    ("redis: {pasword_path: /x}", "redis.pasword_path; did you mean password_path?"),
    ("database: {arg: {}}", "database.arg; did you mean args?"),
    ("databases: {state: {data_store: []}}", "databases.state.data_store; did you mean data_stores?"),
    ("media_storage_providers: [{stor_local: 1}]", "media_storage_providers[0].stor_local; did you mean store_local?"),
    ("oidc_providers: [{client_ID: x}]", "oidc_providers[0].client_ID; did you mean client_id?"),
    ("stream_writers: {typings: [x]}", "stream_writers.typings; did you mean typing?"),
    ("old_signing_keys: {'a:b': {expire_ts: 1}}", "old_signing_keys.a:b.expire_ts; did you mean expired_ts?"),
    ("password_config: {policy: {zzz: 1}}", "password_config.policy.zzz"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "words"), RED, ids=[words for _, words in RED])
def test_a_misspelt_setting_is_named_with_its_file_its_path_and_the_nearest(text: str, words: str) -> None:
    config: dict[str, Any] = yaml.safe_load(text)
    assert misspelt({"homeserver.yaml": config}, known()) == (
        f"homeserver.yaml: Synapse {VERSION} documents no setting {words}",
    )


FREE = """
database: {args: {anything: {at: all}}}
databases: {anybody: {args: {x: 1}}}
instance_map: {anybody: {host: x, port: 1, tls: true}}
media_storage_providers: [{module: m, config: {directory: x, bucket: y}}]
modules: [{module: m, config: {anything: 1}}]
oidc_providers: [{user_mapping_provider: {config: {x: 1}}, client_secret_jwt_key: {jwt_header: {alg: x, kid: y}}}]
old_signing_keys: {"ed25519:x": {key: x, expired_ts: 1}}
caches: {per_cache_factors: {get_users_in_room: 2}}
experimental_features: {msc0_enabled: true}
extra_well_known_client_content: {org.example: {x: 1}}
listeners: [{additional_resources: {/x: {module: m, config: {y: 1}}}}]
ui_auth: {session_timeout: 1}
"""


def test_what_anybody_may_name_is_accepted() -> None:
    assert misspelt({"homeserver.yaml": yaml.safe_load(FREE)}, known()) == ()


def test_another_version_is_held_to_the_nearest_and_what_is_none_to_nothing() -> None:
    assert {known(version).version for version in ("1.163.9", "1.200.0", "1.2")} == {VERSION}
    assert known_settings("prod") is None


def test_what_names_a_dutys_processes_is_documented() -> None:
    tree = known().tree
    assert {duty.setting for duty in duties().duties if duty.setting} <= tree.keys()
    assert {duty.stream for duty in duties().duties if duty.stream} <= tree["stream_writers"].keys()
