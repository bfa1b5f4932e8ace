"""Claims about what killed probes left: taken away once nobody uses it, and nothing of anybody else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote
from uuid import uuid4

import pytest

from apps.message_probe import media
from apps.message_probe.administration import PREFIX, Administration
from apps.message_probe.leftovers import Sweep, leftovers, sweep
from apps.message_probe.user import CLIENT, Account, User
from apps.message_probe.wire import Origin, dial_to
from tests.apps.conftest import SECRET, port_of
from tests.apps.proxy import Passing, Proxy, place, proxied
from tests.remote.homeserver import Homeserver

HOURS = 7200


@pytest.fixture
def inside(synapse: Homeserver) -> Iterator[Proxy]:
    """What stands before the admin API."""
    with proxied(port_of(synapse)) as running:
        yield running


@pytest.fixture
def sweeper(inside: Proxy) -> Iterator[Administration]:
    """Who sweeps."""
    administration = Administration(
        Origin(name="127.0.0.1", port=inside.port, dial=dial_to("127.0.0.1", inside.port)), SECRET
    )
    yield administration
    administration.clear((), (), ())


@pytest.fixture
def made(public: Origin, administration: Administration) -> Iterator[Callable[[], User]]:
    """Make a user as a probe does; taken away in the end where it is still there."""
    users: list[User] = []

    def make() -> User:
        users.append(administration.register(public)[0])
        return users[-1]

    yield make
    for user in users:
        user.close()
    administration.clear([user.account for user in users], (), ())


def aged(*users: str) -> Callable[[Passing], None]:
    """Have the list of users tell that these were made hours ago."""

    def age(passing: Passing) -> None:
        if place(passing).endswith("/v2/users"):
            document = json.loads(passing.body)
            for entry in document["users"]:
                entry["creation_ts"] -= HOURS * 1000 * (entry["name"] in users)
            passing.body = json.dumps(document).encode()

    return age


def test_what_a_killed_probe_left_is_taken_away_whole(
    inside: Proxy, sweeper: Administration, made: Callable[[], User], synapse: Homeserver
) -> None:
    sender, receiver, lately = made(), made(), made()
    room = sender.create_room(receiver.account.user, encrypted=False).document["room_id"]
    receiver.ask("join", "POST", receiver.in_room(room, "join"), {})
    medium, _ = media.upload(sender)
    names = {sender.account.user, receiver.account.user}
    inside.after = quieted(aged(*names), *names)
    swept = sweep(sweeper)
    assert (set(swept.taken), swept.left, swept.media) == ({*names, room}, (), (medium.uri,))
    assert {each.user for each in leftovers(sweeper)} == {lately.account.user}
    with pytest.raises(Exception, match="HTTP 404"):
        sweeper.look(f"/v1/rooms/{quote(room, safe='')}")
    with pytest.raises(Exception, match="HTTP 404"):
        sweeper.look(f"/v1/media/{medium.path}")
    assert lately.ask("who am I", "GET", f"{CLIENT}/account/whoami").status == 200


def quieted(age: Callable[[Passing], None], *users: str) -> Callable[[Passing], None]:
    """Have the list also tell that these were not seen since they were made."""

    def quiet(passing: Passing) -> None:
        age(passing)
        if place(passing).endswith("/v2/users"):
            document = json.loads(passing.body)
            for entry in document["users"]:
                entry["last_seen_ts"] = entry["creation_ts"] if entry["name"] in users else entry["last_seen_ts"]
            passing.body = json.dumps(document).encode()

    return quiet


def test_the_age_is_the_servers_own(
    sweeper: Administration, made: Callable[[], User], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made()
    time.sleep(3)
    monkeypatch.setattr("apps.message_probe.leftovers.ABANDONED", 1.5)
    # Whoever sweeps is made now: both the age of the one and of the other count from there.
    now = made()
    assert sweep(sweeper).taken == (before.account.user,)
    assert [each.user for each in leftovers(sweeper)] == [now.account.user]


def test_who_was_made_long_ago_and_is_seen_is_in_use(
    inside: Proxy, sweeper: Administration, made: Callable[[], User]
) -> None:
    """So it is with a series that lasts for hours."""
    user = made()
    user.ask("who am I", "GET", f"{CLIENT}/account/whoami")
    inside.after = aged(user.account.user)
    deadline = time.monotonic() + 30
    while leftovers(sweeper)[0].quiet > HOURS / 2 and time.monotonic() < deadline:
        time.sleep(0.3)
    assert sweep(sweeper).taken == ()
    assert user.ask("who am I", "GET", f"{CLIENT}/account/whoami").status == 200


def test_a_quiet_administrator_stays_as_long_as_a_probe_is_in_use(
    inside: Proxy, sweeper: Administration, administration: Administration, made: Callable[[], User]
) -> None:
    killed, _ = administration._made(administrator=True)
    inside.after = quieted(aged(killed.user), killed.user)
    user = made()
    assert sweep(sweeper).taken == ()
    user.close()
    sweeper.remove((user.account.user,), (), ())
    assert sweep(sweeper).taken == (killed.user,)


def test_nobody_is_taken_for_a_probes_user_by_name_alone(
    sweeper: Administration, synapse: Homeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.message_probe.leftovers.ABANDONED", -60.0)
    names = (f"{PREFIX}{uuid4().hex[:12]}", f"somebody-{uuid4().hex[:12]}")
    people = []
    for name in names:
        body = {"username": name, "password": "of a test", "auth": {"type": "m.login.dummy"}}
        people.append(synapse.call("POST", "/_matrix/client/v3/register", body))
    named = f"{CLIENT}/profile/{quote(people[1]['user_id'])}/displayname"
    synapse.call("PUT", named, {"displayname": f"{PREFIX}0123456789ab"}, people[1]["access_token"])
    listed = {entry["name"] for entry in sweeper.look(f"/v2/users?name={PREFIX}")["users"]}
    assert {person["user_id"] for person in people} <= listed
    assert sweep(sweeper) == Sweep()
    for person in people:
        synapse.call("GET", f"{CLIENT}/account/whoami", token=person["access_token"])
    accounts = [Account(person["user_id"], person["device_id"], person["access_token"]) for person in people]
    assert sweeper.clear(accounts, (), ()) == ()


def test_a_room_of_somebody_else_is_not_purged(
    inside: Proxy, sweeper: Administration, made: Callable[[], User], synapse: Homeserver
) -> None:
    user = made()
    name = user.account.user
    synapse.call("POST", f"{CLIENT}/rooms/{quote(synapse.room)}/invite", {"user_id": name}, synapse.token)
    user.ask("join", "POST", user.in_room(synapse.room, "join"), {})
    inside.after = quieted(aged(name), name)
    assert sweep(sweeper).taken == (name,)
    assert isinstance(synapse.messages(), list)


def test_more_than_a_page_of_them_is_found(
    inside: Proxy, sweeper: Administration, made: Callable[[], User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.message_probe.leftovers.PAGE", 1)
    names = {made().account.user for _ in range(3)}
    assert {each.user for each in leftovers(sweeper)} == names


def test_what_could_not_be_taken_away_is_told_of_and_found_again(
    inside: Proxy, sweeper: Administration, made: Callable[[], User]
) -> None:
    user = made()
    name = user.account.user
    inside.after = quieted(aged(name), name)
    (stays, _), (goes, _) = media.upload(user), media.upload(user)

    def refuse(passing: Passing) -> None:
        if passing.method == "DELETE" and passing.path.endswith(stays.path):
            passing.status, passing.body = 403, b'{"errcode": "M_FORBIDDEN"}'

    inside.before = refuse
    swept = sweep(sweeper)
    assert (swept.taken, swept.media) == ((), (goes.uri,))
    assert swept.left == (f"left by a former probe: {name}: delete a medium: HTTP 403: M_FORBIDDEN",)
    inside.before = lambda _passing: None
    swept = sweep(sweeper)
    assert (swept.taken, swept.media) == ((name,), (stays.uri,))


def test_more_than_a_page_of_media_is_taken_away(
    inside: Proxy, sweeper: Administration, made: Callable[[], User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.message_probe.leftovers.PAGE", 1)
    user = made()
    name = user.account.user
    uploads = {media.upload(user)[0].uri for _ in range(3)}
    inside.after = quieted(aged(name), name)
    swept = sweep(sweeper)
    assert (swept.taken, set(swept.media), swept.left) == ((name,), uploads, ())


@pytest.mark.parametrize("path", ["/v2/users", "/media"])
def test_a_list_without_an_end_is_told_of(
    inside: Proxy, sweeper: Administration, made: Callable[[], User], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("apps.message_probe.leftovers.PAGES", 5)
    name = made().account.user
    age = quieted(aged(name), name)

    def go_on(passing: Passing) -> None:
        age(passing)
        if place(passing).endswith(path):
            passing.body = json.dumps(json.loads(passing.body) | {"next_token": "1"}).encode()

    inside.after = go_on
    swept = sweep(sweeper)
    assert swept.taken == ()
    (words,) = swept.left
    assert words.endswith(f"{path} has no end after 5 pages")


@pytest.mark.parametrize("first", ["/joined_rooms", "/media", "DELETE"])
def test_what_another_sweep_takes_away_meanwhile_is_gone(
    inside: Proxy, sweeper: Administration, made: Callable[[], User], administration: Administration, first: str
) -> None:
    """The other is done with rooms and media before this one has the answer to `first`, or begins to delete."""
    user, other = made(), made()
    name = user.account.user
    room = user.create_room(other.account.user, encrypted=False).document["room_id"]
    medium, _ = media.upload(user)
    age = quieted(aged(name), name)
    others: list[tuple[str, ...]] = []

    def after(passing: Passing) -> None:
        age(passing)
        if place(passing).endswith(first) and not others:
            others.append(administration.remove((), (room,), (medium.uri,)))

    def before(passing: Passing) -> None:
        if passing.method == first and not others:
            others.append(administration.remove((), (room,), (medium.uri,)))

    inside.after, inside.before = after, before
    swept = sweep(sweeper)
    assert others == [()]
    assert (swept.left, name in swept.taken) == ((), True)


def test_an_admin_api_that_is_not_there_has_taken_nothing_away(
    inside: Proxy, sweeper: Administration, made: Callable[[], User]
) -> None:
    user = made()
    name = user.account.user
    media.upload(user)
    inside.after = quieted(aged(name), name)

    def lose(passing: Passing) -> None:
        if passing.method == "DELETE":
            passing.status, passing.body = 404, b'{"errcode": "M_UNRECOGNIZED"}'

    inside.before = lose
    swept = sweep(sweeper)
    assert (swept.taken, swept.media) == ((), ())
    assert swept.left == (f"left by a former probe: {name}: delete a medium: HTTP 404: M_UNRECOGNIZED",)


@pytest.mark.parametrize("key", ["creation_ts", "name"])
def test_a_list_that_tells_no_age_is_told_of_and_nobody_is_touched(
    inside: Proxy, sweeper: Administration, made: Callable[[], User], key: str
) -> None:
    user = made()

    def spoil(passing: Passing) -> None:
        if place(passing).endswith("/v2/users"):
            passing.body = passing.body.replace(f'"{key}"'.encode(), b'"else"')

    inside.after = spoil
    swept = sweep(sweeper)
    assert swept.taken == ()
    assert swept.left == (
        "what former probes left cannot be looked for: look for former probes: the server does not say when each user "
        "was made",
    )
    assert user.ask("who am I", "GET", f"{CLIENT}/account/whoami").status == 200
