"""The push gateway comes where the site has apps of its own, with the keys of those alone."""

from __future__ import annotations

import pytest
import yaml

from model.matrix.pod_words import pod_words
from model.rollout.graph import active
from model.rollout.policies import network_policies
from model.site.outward import ApplePush
from tests.model.rollout.stacks import SITES, changed, site, stack

BOTH, APPLE = "push gateway", "push gateway of Apple's alone"


def test_pushes_without_apps_of_ones_own_need_no_gateway() -> None:
    known = site(changed(features={"push_notifications": True}))
    assert "sygnal" not in {component.name for component in active(known)}


@pytest.mark.parametrize(
    ("name", "keys"), [(BOTH, {"apns.p8", "firebase.json"}), (APPLE, {"apns.p8"})], ids=["both", "Apple"]
)
def test_each_app_has_its_key_as_a_file(name: str, keys: set[str]) -> None:
    part = next(part for part in stack(name).components if part.name == "sygnal")
    config = yaml.safe_load(part.files["sygnal.yaml"])
    files = {app.get("keyfile") or app.get("service_account_file") for app in config["apps"].values()}
    assert files == {f"/keys/{key}" for key in keys}
    secret = next(found for found in part.objects if found["kind"] == "Secret")
    assert set(secret["stringData"]) == keys
    assert config["http"]["port"] == 5000


def test_an_app_is_told_as_its_push_service_knows_it() -> None:
    part = next(part for part in stack(BOTH).components if part.name == "sygnal")
    apps = yaml.safe_load(part.files["sygnal.yaml"])["apps"]
    assert apps["test.ios"].items() >= {"type": "apns", "key_id": "A1B2C3D4E5", "topic": "test.ios"}.items()
    assert apps["test.android"].items() >= {"type": "gcm", "api_version": "v1", "project_id": "test-1"}.items()
    with pytest.raises(ValueError, match="key_id"):
        ApplePush(app="a", key_id="too short", team_id="F6G7H8I9J0", topic="a")


def test_the_proxy_leads_one_path_of_the_public_name_there() -> None:
    part = next(part for part in stack(BOTH).components if part.name == "haproxy")
    public, _, inside = part.files["haproxy.cfg"].partition("frontend inside")
    assert public.count("/_matrix/push/v1/notify") == 2
    assert "/_matrix/push" not in inside.partition("backend ")[0]
    assert "sygnal.matrix.svc.cluster.local:5000" in inside


def test_only_the_gateway_reaches_apple_and_google_for_it() -> None:
    known = SITES[BOTH]()
    assert "sygnal" in pod_words(known)
    policy = next(found for found in network_policies(known) if found["metadata"]["name"] == "sygnal")
    assert "pod-push-gateway" in policy["metadata"]["annotations"]["matrix-fleet.io/rows"]
    assert policy["spec"]["podSelector"] == {"matchLabels": {"matrix-fleet.io/pod": "sygnal"}}
    assert not any(found["metadata"]["name"] == "sygnal" for found in network_policies(site()))
