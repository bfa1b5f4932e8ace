"""A second homeserver, outside: its people and the site's share rooms, and whatever keeps both apart is found."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.cluster.lab_cluster import eventually
from tests.matrix.outward.conftest import Outward, brought
from tests.matrix.outward.people import PARTNER, Person, own_person, partners_person

pytestmark = pytest.mark.all
_CONFIG = "/opt/outside/homeserver/conf.d"
_DOMAIN = "example.test"


@pytest.fixture(scope="module")
def people(outward: Outward) -> dict[str, Person]:
    """One of the site's, and one of the partner's, by their homeservers."""
    return {_DOMAIN: own_person(outward), PARTNER: partners_person(outward)}


def test_the_rollout_saw_both_homeservers_speak_to_each_other(outward: Outward) -> None:
    gate = outward.first["federation"]
    assert gate["status"] == "ok", gate
    assert gate["why"].endswith("and partner.test takes its questions")


@pytest.mark.parametrize(("here", "there"), [(_DOMAIN, PARTNER), (PARTNER, _DOMAIN)])
def test_messages_go_both_ways_in_a_room_of_either(people: dict[str, Person], here: str, there: str) -> None:
    room = people[here].invites(people[there])
    # An invitation is sent before the room is answered for.
    people[there].joins(room, here)
    for speaker, listener in ((people[here], people[there]), (people[there], people[here])):
        text = secrets.token_hex(8)
        speaker.says(room, text)
        eventually(f"{listener.name} sees it", partial(listener.has_seen, room, speaker, text), 60)
    for person in people.values():
        person.leaves(room)


@contextmanager
def restarted_with(outward: Outward, setting: str) -> Iterator[None]:
    """Restart the partner with one more setting, and without it in the end."""
    path = f"{_CONFIG}/more.yaml"
    try:
        outward.outside("sh", "-c", f"printf '%s\\n' '{setting}' > {path} && systemctl restart homeserver")
        yield
    finally:
        outward.outside("sh", "-c", f"rm -f {path} && systemctl restart homeserver")


def test_a_partner_that_does_not_allow_the_site_is_found(outward: Outward) -> None:
    with restarted_with(outward, "federation_domain_whitelist: [elsewhere.test]"):
        gate = outward.gate("federation")
    assert gate["status"] == "drift", gate
    assert "partner.test is not reached, or does not take this homeserver's signature" in gate["why"]


def test_a_partner_that_is_away_is_found(outward: Outward) -> None:
    outward.outside("systemctl", "stop", "homeserver")
    try:
        gate = outward.gate("federation")
        assert gate["status"] == "drift", gate
        assert "partner.test is not reached" in gate["why"]
    finally:
        outward.outside("systemctl", "start", "homeserver")
    assert outward.gate("federation")["status"] == "ok"


def test_a_key_that_is_not_the_sites_is_found(outward: Outward, tmp_path: Path) -> None:
    """The site's secrets say another key than the one that Synapse signs with."""
    kept = outward.lab.inventory / "secrets"
    shutil.copytree(kept, tmp_path / "secrets")
    try:
        brought(outward.lab, "synapse-signing-key/signing.key", f"ed25519 a_other {'B' * 43}")
        gate = outward.gate("federation")
    finally:
        shutil.rmtree(kept)
        shutil.copytree(tmp_path / "secrets", kept)
    assert gate["status"] == "drift", gate
    assert "and the site's own ed25519:a_other is wanted" in gate["why"]
    assert outward.gate("federation")["status"] == "ok"


def test_a_partner_that_the_site_does_not_allow_is_refused_before_anything_is_tried(outward: Outward) -> None:
    path = outward.lab.inventory / "site.yaml"
    text = path.read_text("utf-8")
    path.write_text(text.replace(f"  domains:\n  - {PARTNER}\n", "  domains:\n  - elsewhere.test\n"), "utf-8")
    try:
        code, report = outward.cluster.flow("validate", "--gate", "federation")
        assert code == 1
        found = [entry["message"] for entry in report["outcomes"]]
        assert any("is not among federation_partners.domains" in message for message in found), found
    finally:
        path.write_text(text, "utf-8")
