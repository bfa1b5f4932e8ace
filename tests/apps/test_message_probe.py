"""Claims about the message probe, tried against a real Synapse, with what disturbs it in between."""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from _thread import interrupt_main
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from apps.message_probe import __main__ as program
from apps.message_probe.administration import PREFIX, Administration
from apps.message_probe.leftovers import leftovers
from apps.message_probe.media import dimensions, picture
from apps.message_probe.probe import Wishes, converse, repeat
from apps.message_probe.user import Account
from apps.message_probe.wire import Origin, dial_to
from tests.apps.conftest import SECRET, port_of
from tests.apps.proxy import Passing, Proxy, place
from tests.remote.homeserver import Homeserver

QUICK = Wishes(encrypted=False, media=False)


def without(passing: Passing, words: str) -> None:
    """Take events that hold these words out of a sync's timelines."""
    if not place(passing).endswith("/sync"):
        return
    document = json.loads(passing.body)
    for room in document.get("rooms", {}).get("join", {}).values():
        events = room.get("timeline", {}).get("events", [])
        events[:] = [event for event in events if words not in json.dumps(event)]
    passing.body = json.dumps(document).encode()


def test_everything_that_two_users_do_arrives(public: Origin, administration: Administration) -> None:
    findings = converse(public, administration)
    assert findings.failures == ()
    assert findings.left == ()
    names = [step.name for step in findings.steps]
    for name in ("log in", "message", "receipt", "typing", "to-device", "encrypted message", "download", "thumbnail"):
        assert name in names
    assert len(findings.message_ms) == 2


def test_nobody_of_it_stays(public: Origin, administration: Administration, synapse: Homeserver) -> None:
    rooms = len(synapse.call("GET", "/_matrix/client/v3/joined_rooms", token=synapse.reader)["joined_rooms"])
    converse(public, administration, QUICK)
    assert leftovers(administration) == ()
    administration.clear((), (), ())
    found = synapse.call(
        "POST", "/_matrix/client/v3/user_directory/search", {"search_term": PREFIX, "limit": 50}, synapse.reader
    )
    assert found["results"] == []
    assert len(synapse.call("GET", "/_matrix/client/v3/joined_rooms", token=synapse.reader)["joined_rooms"]) == rooms


def test_users_are_in_no_directory_as_long_as_they_are_there(
    public: Origin, administration: Administration, synapse: Homeserver
) -> None:
    def searched() -> set[str]:
        asked = {"search_term": PREFIX, "limit": 50}
        found = synapse.call("POST", "/_matrix/client/v3/user_directory/search", asked, synapse.reader)
        return {entry["user_id"] for entry in found["results"]}

    user, _ = administration.register(public)
    user.close()
    # Somebody like everybody, called alike and made later: once the directory has them, it has all it will ever have.
    body = {"username": f"{PREFIX}{uuid4().hex[:12]}", "password": "of a test", "auth": {"type": "m.login.dummy"}}
    control = synapse.call("POST", "/_matrix/client/v3/register", body)
    try:
        deadline = time.monotonic() + 30
        while control["user_id"] not in (seen := searched()) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert control["user_id"] in seen
        assert user.account.user not in seen
    finally:
        others = (control["user_id"], control["device_id"], control["access_token"])
        assert administration.clear((user.account, Account(*others)), (), ()) == ()


def test_users_are_in_no_count_of_those_who_are_active(
    public: Origin, administration: Administration, synapse: Homeserver
) -> None:
    """What Synapse counts each month, and shuts a server that is full by, are the rows of this table."""
    user, _ = administration.register(public)
    body = {"username": f"counted-{uuid4().hex[:12]}", "password": "of a test", "auth": {"type": "m.login.dummy"}}
    control = synapse.call("POST", "/_matrix/client/v3/register", body)
    user.ask("who am I", "GET", "/_matrix/client/v3/account/whoami")
    user.close()
    # Somebody like everybody, who comes later: once that one is counted, everybody is who will ever be.
    synapse.call("GET", "/_matrix/client/v3/account/whoami", token=control["access_token"])
    deadline = time.monotonic() + 30
    while control["user_id"] not in (counted := active(synapse)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert control["user_id"] in counted
    assert user.account.user not in counted
    assert administration.clear((user.account,), (), ()) == ()


def active(synapse: Homeserver) -> set[str]:
    with closing(sqlite3.connect(f"file:{synapse.database}?mode=ro", uri=True, timeout=20)) as database:
        return {user for (user,) in database.execute("SELECT user_id FROM monthly_active_users")}


def test_a_message_that_does_not_arrive_is_told_of(
    public: Origin, administration: Administration, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.message_probe.inbox.ARRIVES", 3.0)
    proxy.after = lambda passing: without(passing, "m.text")
    (failure,) = converse(public, administration, QUICK).failures
    assert failure.startswith("message: not received within")


def test_a_picture_with_other_bytes_is_told_of(public: Origin, administration: Administration, proxy: Proxy) -> None:
    def spoil(passing: Passing) -> None:
        if "/media/download/" in passing.path:
            passing.body = b"something else"

    proxy.after = spoil
    (failure,) = converse(public, administration, Wishes(encrypted=False)).failures
    assert failure.startswith("download a medium: other bytes came back")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (picture(96), "a thumbnail: 96x96 came back, 32x32 was asked for"),
        (picture(33), "a thumbnail: 33x33 came back, 32x32 was asked for"),
        (picture(32)[:-1], "a thumbnail: what came back is no whole PNG or JPEG"),
        (picture(0), "a thumbnail: what came back is no whole PNG or JPEG"),
        (b"<html>", "a thumbnail: what came back is no whole PNG or JPEG (6 bytes)"),
        (picture(32)[:-12] + bytes(96 * 96 * 4) + picture(32)[-12:], "a thumbnail: it has "),
    ],
)
def test_a_thumbnail_that_is_none_is_told_of(
    public: Origin, administration: Administration, proxy: Proxy, content: bytes, told: str
) -> None:
    def spoil(passing: Passing) -> None:
        if "/media/thumbnail/" in passing.path:
            passing.body = content

    proxy.after = spoil
    (failure,) = converse(public, administration, Wishes(encrypted=False, signals=False)).failures
    assert failure.startswith(told)


def test_the_picture_itself_is_no_thumbnail(public: Origin, administration: Administration, proxy: Proxy) -> None:
    def spoil(passing: Passing) -> None:
        if "/media/thumbnail/" in passing.path:
            passing.body = proxy.uploaded

    proxy.after = spoil
    (failure,) = converse(public, administration, Wishes(encrypted=False, signals=False)).failures
    assert failure.startswith("a thumbnail: 96x96 came back")


def test_the_size_of_a_picture_is_read_of_its_head() -> None:
    assert dimensions(picture(32)) == (32, 32)
    head, table = b"\xff\xd8\xff\xe0\x00\x04xx", b"\xff\xc4\x00\x03\x00"
    frame = b"\xff\xc2\x00\x0b\x08\x00\x20\x00\x18\x01\x01\x11\x00"
    assert dimensions(head + table + frame + b"\xff\xd9") == (24, 32)
    for spoilt in (head + table + frame, head + table + b"\xff\xd9", head + b"\xff\xd9", b"\xff\xd8\xff\xd9", b""):
        assert dimensions(spoilt) == (0, 0)


def test_what_the_server_could_read_is_not_called_encrypted(
    public: Origin, administration: Administration, proxy: Proxy
) -> None:
    def forge(passing: Passing) -> None:
        if place(passing).endswith("/sync"):
            passing.body = passing.body.replace(b'"m.megolm.v1.aes-sha2","ciphertext":"A', b'"x","ciphertext":"B')

    proxy.after = forge
    (failure,) = converse(public, administration, Wishes(media=False)).failures
    assert "decrypt" in failure or "encrypted" in failure


def test_a_forged_device_is_not_trusted(public: Origin, administration: Administration, proxy: Proxy) -> None:
    def forge(passing: Passing) -> None:
        if passing.path.endswith("/keys/query"):
            document = json.loads(passing.body)
            for devices in document["device_keys"].values():
                for device in devices.values():
                    device["algorithms"] = ["m.none"]
            passing.body = json.dumps(document).encode()

    proxy.after = forge
    (failure,) = converse(public, administration, Wishes(media=False)).failures
    assert failure.startswith("query keys: the device's keys are missing or not its own")


def test_a_receiver_is_looked_for_whom_another_process_serves(
    public: Origin, administration: Administration, proxy: Proxy
) -> None:
    known: dict[str, str] = {}

    def pool(passing: Passing) -> str:
        if not place(passing).endswith("/sync"):
            return "main/main-0"
        return known.setdefault(passing.token, f"sync/sync-{int(len(known) > 2)}")

    proxy.pool = pool
    findings = converse(public, administration, QUICK)
    assert findings.failures == ()
    assert set(findings.sync_servers) == {"sync/sync-0", "sync/sync-1"}


def test_who_answers_a_first_sync_does_not_count(public: Origin, administration: Administration, proxy: Proxy) -> None:
    known: dict[str, str] = {}

    def pool(passing: Passing) -> str:
        if not place(passing).endswith("/sync"):
            return "main/main-0"
        if "since=" not in passing.path:
            return f"initial-sync/initial-sync-{len(known) % 2}"
        return known.setdefault(passing.token, f"sync/sync-{int(len(known) > 2)}")

    proxy.pool = pool
    findings = converse(public, administration, QUICK)
    assert findings.failures == ()
    assert set(findings.sync_servers) == {"sync/sync-0", "sync/sync-1"}


def test_with_one_process_the_last_candidate_is_taken(
    public: Origin, administration: Administration, proxy: Proxy
) -> None:
    proxy.pool = lambda _passing: "sync/sync-0"
    findings = converse(public, administration, QUICK)
    assert findings.failures == ()
    assert findings.sync_servers == ("sync/sync-0", "sync/sync-0")


def test_a_passing_disturbance_is_waited_out_and_counted(
    public: Origin, administration: Administration, proxy: Proxy
) -> None:
    left = [2]

    def refuse(passing: Passing) -> None:
        if passing.path.endswith("/createRoom") and left[0]:
            left[0] -= 1
            passing.status = 503

    proxy.before = refuse
    findings = converse(public, administration, QUICK)
    assert findings.failures == ()
    assert findings.retries == 2


def test_a_series_delivers_what_was_acknowledged(public: Origin, administration: Administration) -> None:
    begun: list[int] = []
    findings = repeat(public, administration, every=0.1, seconds=4, begins=lambda: begun.append(1))
    assert findings.failures == findings.left == ()
    assert begun == [1]
    series = findings.series
    assert series is not None
    assert series.sent == series.delivered == series.acknowledged == 40
    assert series.lost_acknowledged == 0
    assert 0 < series.latency_p50_ms <= series.latency_p99_ms
    assert series.gap_max_s < 2
    assert set(series.figures) == {
        "sent", "delivered", "lost_acknowledged", "gap_max_s", "latency_p50_ms", "latency_p99_ms"
    }  # fmt: skip


def test_a_series_that_is_interrupted_waits_for_what_it_sent_and_tells_of_it(
    public: Origin, administration: Administration
) -> None:
    timer = threading.Timer(1.0, interrupt_main)
    try:
        series = repeat(public, administration, every=0.1, seconds=60, begins=timer.start).series
    finally:
        timer.cancel()
    assert series is not None
    assert 1 <= series.sent == series.delivered == series.acknowledged < 300
    assert series.cut_after is not None
    assert 0 < series.cut_after < 30
    assert series.gap_max_s < series.cut_after + 5


def test_a_series_names_what_was_acknowledged_and_lost(
    public: Origin, administration: Administration, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.message_probe.series.GRACE", 2.0)
    proxy.after = lambda passing: without(passing, ' 7"')
    series = repeat(public, administration, every=0.1, seconds=2).series
    assert series is not None
    assert (series.sent, series.delivered, series.lost_acknowledged) == (20, 19, 1)
    assert "message 7" in series.lost[0]


def test_a_series_goes_on_while_the_server_is_away_and_measures_the_gap(
    public: Origin, administration: Administration, proxy: Proxy
) -> None:
    away = threading.Event()
    begun = threading.Event()

    def refuse(passing: Passing) -> None:
        begun_now = "/send/" in passing.path
        if begun_now and not begun.is_set():
            begun.set()
            threading.Timer(1.0, away.set).start()
            threading.Timer(4.0, away.clear).start()
        if away.is_set():
            passing.status, passing.broken = 503, "/sync" in passing.path

    proxy.before = refuse
    series = repeat(public, administration, every=0.1, seconds=6).series
    assert series is not None
    assert series.sent == 60
    assert series.lost_acknowledged == 0
    assert series.delivered == series.acknowledged < 60
    # Three seconds, less by what the last answer before them came late.
    assert 1.5 < series.gap_max_s < 6
    assert any("HTTP 503" in error for error in series.errors)


def test_nothing_that_arrived_is_no_gap_of_nothing(
    public: Origin, administration: Administration, proxy: Proxy
) -> None:
    def refuse(passing: Passing) -> None:
        if "/send/" in passing.path:
            passing.status = 503

    proxy.before = refuse
    series = repeat(public, administration, every=0.2, seconds=2).series
    assert series is not None
    assert (series.delivered, series.acknowledged) == (0, 0)
    assert series.gap_max_s >= 2


def test_a_wrong_shared_secret_is_told_of_and_not_shown(public: Origin, synapse: Homeserver) -> None:
    port = port_of(synapse)
    inside = Origin(name="127.0.0.1", port=port, dial=dial_to("127.0.0.1", port))
    (failure,) = converse(public, Administration(inside, b"wrong-secret"), QUICK).failures
    assert failure.startswith("register a user: HTTP 403")
    assert "wrong-secret" not in failure


def test_an_admin_api_that_is_away_is_told_of(public: Origin) -> None:
    nobody = Origin(name="127.0.0.1", port=1, dial=dial_to("127.0.0.1", 1))
    (failure,) = converse(public, Administration(nobody, SECRET), QUICK).failures
    assert failure.startswith("register a user: no answer from the admin API: ConnectionRefusedError")


def test_a_person_runs_it(
    synapse: Homeserver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET + b"\n")
    with secret.open() as given:
        monkeypatch.setattr(sys, "stdin", given)
        assert program.main([synapse.url, "--plain", "--no-media"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["failures"] == []
    assert any(step["name"] == "message" for step in shown["steps"])


def test_without_a_secret_a_person_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    with empty.open() as given:
        monkeypatch.setattr(sys, "stdin", given)
        assert program.main(["http://127.0.0.1:1"]) == 3
    assert "no registration shared secret" in capsys.readouterr().err
