"""Claims about the gate of the message, with a real Synapse behind what stands for ingress, proxy and pods."""

from __future__ import annotations

import base64
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import unquote
from zlib import crc32

import pytest

from apps.message_probe import media
from apps.message_probe.administration import Administration
from apps.message_probe.leftovers import Sweep, leftovers
from apps.message_probe.probe import Findings
from apps.message_probe.series import SeriesResult
from apps.message_probe.talk import Step
from apps.message_probe.wire import Origin, dial_to
from model.report.outcome import Status
from remote.gates import message, stored_media
from remote.gates.gate import GateResult
from remote.gates.public import TLS_SECRET, Way, administration_origin, own_ways
from tests.apps.conftest import SECRET, probed
from tests.apps.proxy import Passing, Proxy, place, proxied
from tests.remote.authority import Authority
from tests.remote.gates.s3_server import SmallS3, serving
from tests.remote.gates.world import World
from tests.remote.homeserver import Homeserver

NAME = "app.kubernetes.io/name"
EXTERNAL = ("198.51.100.101", "2001:db8:100::101")


def process(number: int) -> str:
    """Return what the proxy calls a process of the pool `sync`."""
    return f"sync/{crc32(bytes((10, 0, 2, number)))}"


class Site:
    """Synapse behind two external addresses, an ingress pod, HAProxy's pod, two media pods and an object storage."""

    def __init__(self, world: World, port: int, folder: Path, stack: ExitStack) -> None:
        self.world = world
        authority = Authority(folder)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*authority.issue("web", "matrix.example.test", "matrix.example.test"))
        self.outer = stack.enter_context(proxied(port, tls))
        self.inner = stack.enter_context(proxied(port))
        self.media: list[Proxy] = [stack.enter_context(proxied(port)) for _ in range(2)]
        self.storage: SmallS3 = stack.enter_context(serving())
        self.uploads = True
        known: dict[str, int] = {}

        def pool(passing: Passing) -> str:
            if not place(passing).endswith("/sync"):
                return "main/main-1"
            return process(known.setdefault(passing.token, len(known)) % 2)

        self.outer.pool = self.inner.pool = pool
        self.outer.after, self.inner.after = partial(self.store, self.outer), partial(self.store, self.inner)
        ca = base64.b64encode(authority.path.read_bytes()).decode()
        world.single |= {
            TLS_SECRET: {"data": {"ca.crt": ca}},
            "/api/v1/namespaces/matrix/services/s3": {"spec": {"clusterIP": "10.96.0.9"}},
        }
        self._pods(port)
        world.secrets |= {
            ("synapse", "registration_shared_secret"): SECRET,
            ("s3-synapse", "access_key"): b"synapse",
            ("s3-synapse", "secret_key"): b"of a test",
        }

    def _pods(self, port: int) -> None:
        world = self.world
        for address in EXTERNAL:
            world.ports[address, 443] = self.outer.port
        world.pod("envoy-a", "projectcontour", {"app": "envoy"}, "10.0.0.1")
        world.pod("haproxy-a", "matrix", {"matrix-fleet.io/pod": "haproxy"}, "10.0.0.2")
        world.ports |= {
            ("10.0.0.2", 8008): self.inner.port,
            ("10.0.0.2", 8009): port,
            ("10.96.0.9", 9000): self.storage.port,
        }
        for number, proxy in enumerate(self.media):
            world.pod(f"synapse-media-{number}", "matrix", {NAME: "synapse-media"}, f"10.0.1.{number}")
            world.ports[f"10.0.1.{number}", 8083] = proxy.port
            world.pod(f"synapse-sync-{number}", "matrix", {NAME: "synapse-sync"}, f"10.0.2.{number}")

    def store(self, proxy: Proxy, passing: Passing) -> None:
        """Put an upload into the object storage, as Synapse's provider does."""
        if not self.uploads or "/media/v3/upload" not in passing.path:
            return
        identifier = passing.body.decode().rpartition("/")[2].rstrip('"}')
        name = f"local_content/{identifier[:2]}/{identifier[2:4]}/{identifier[4:]}"
        self.storage.objects[name] = proxy.uploaded


@pytest.fixture(scope="module")
def synapse(tmp_path_factory: pytest.TempPathFactory, real_synapse: None) -> Iterator[Homeserver]:
    """A real Synapse that limits messages as the site's does."""
    with probed(tmp_path_factory.mktemp("probed"), {"per_second": 5, "burst_count": 50}) as server:
        yield server


@pytest.fixture
def site(world: World, synapse: Homeserver, tmp_path: Path) -> Iterator[Site]:
    """All as it should be."""
    with ExitStack() as stack:
        yield Site(world, int(synapse.url.rpartition(":")[2]), tmp_path, stack)


def findings(site: Site) -> str:
    """Run the gate, which must find something."""
    result = message.run(site.world.context())
    assert result.status == Status.DRIFT
    assert "of a test" not in str(result)
    return "\n".join(result.findings)


def test_messages_that_arrive_over_every_way_are_good(site: Site) -> None:
    result = message.run(site.world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    for words in ("vantage-1 over IPv4", "vantage-1 over IPv6", "a pod on w-1", "synapse-sync-0 and synapse-sync-1"):
        assert words in result.why
    assert set(message.FIGURES) - {"gap_max_s"} <= set(result.figures)
    assert result.figures["sent"] == result.figures["delivered"] == 12
    assert site.storage.objects == {}


def test_a_way_of_this_machine_that_leads_nowhere_is_named(site: Site) -> None:
    result = message.run(site.world.context())
    assert result.status == Status.OK
    nobody = "ConnectionRefusedError: nobody listens at  port 0"
    assert f"; not reached from this machine over IPv4: {nobody}; this machine over IPv6: {nobody}" in result.why


def test_what_a_killed_probe_left_is_taken_away_and_told_of(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    user = left_by_a_killed_probe(site)
    monkeypatch.setattr("apps.message_probe.leftovers.ABANDONED", -60.0)
    result = message.run(site.world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    assert f"taken away, since former probes left it: {user}" in result.why
    assert "taken away" not in message.run(site.world.context()).why


@pytest.mark.parametrize("options", [{}, {"every": 0.2, "for": 1}])
def test_objects_of_media_that_a_killed_probe_left_are_taken_away(
    site: Site, monkeypatch: pytest.MonkeyPatch, options: dict[str, float]
) -> None:
    user, names = uploaded_by_a_killed_probe(site)
    monkeypatch.setattr("apps.message_probe.leftovers.ABANDONED", -60.0)
    site.world.options = options
    result = message.run(site.world.context())
    assert (result.status, result.findings, user in result.why) == (Status.OK, (), True)
    assert not set(names) & set(site.storage.objects)


def test_objects_of_media_that_a_killed_probe_left_and_stay_are_found(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, names = uploaded_by_a_killed_probe(site)
    monkeypatch.setattr("apps.message_probe.leftovers.ABANDONED", -60.0)
    site.world.options = {"every": 0.2, "for": 1}
    site.storage.deletes = False
    said = findings(site)
    for name in names:
        assert f"left by a former probe: left behind in the object storage: synapse-media/{name} is still there" in said


def test_objects_of_media_that_a_killed_probe_left_are_named_where_nobody_can_ask_for_them(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (name, _) = uploaded_by_a_killed_probe(site)
    monkeypatch.setattr("apps.message_probe.leftovers.ABANDONED", -60.0)
    site.world.options = {"every": 0.2, "for": 1}
    for pod in site.world.objects["/api/v1/namespaces/matrix/pods"]:
        if pod["metadata"]["name"].startswith("synapse-media"):
            pod["status"]["conditions"] = []
    said = findings(site)
    assert f"which cannot be asked: synapse-media/{name}: no media pod is ready" in said


def test_who_may_belong_to_a_probe_that_runs_now_is_left_alone(site: Site) -> None:
    user = left_by_a_killed_probe(site)
    result = message.run(site.world.context())
    assert (result.status, user in result.why) == (Status.OK, False)
    administration = Administration(administration_origin(site.world.context()), SECRET)
    assert user in {each.user for each in leftovers(administration)}
    administration.remove((user,), (), ())
    administration.clear((), (), ())


def test_what_a_killed_probe_left_and_stays_is_found(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    user = left_by_a_killed_probe(site)
    site.world.ports["10.0.0.2", 8009] = site.inner.port

    def refuse(passing: Passing) -> None:
        if "/v1/deactivate/" in passing.path and user in unquote(passing.path):
            passing.status, passing.body = 403, b'{"errcode": "M_FORBIDDEN"}'

    monkeypatch.setattr("apps.message_probe.leftovers.ABANDONED", -60.0)
    site.inner.before = refuse
    assert f"left by a former probe: {user}: deactivate a user: HTTP 403" in findings(site)
    site.world.options = {"every": 0.2, "for": 1}
    assert f"left by a former probe: {user}: deactivate a user: HTTP 403" in findings(site)
    site.inner.before = lambda _passing: None
    assert user in message.run(site.world.context()).why


def test_what_was_swept_ends_no_failure_and_is_not_named_without_end() -> None:
    failed = GateResult(status=Status.FAILED, why="nothing arrived", next_step="look")
    result = message.swept_too(failed, Sweep(taken=tuple(f"@{n}" for n in range(8)), left=("left",)))
    assert (result.status, result.findings, result.next_step) == (Status.FAILED, ("left",), "look")
    assert result.why == ("nothing arrived; taken away, since former probes left it: @0, @1, @2, @3, @4, @5 and 2 more")


def test_what_stays_of_a_former_probe_is_a_finding_and_leaves_what_is_unproven_unproven() -> None:
    unproven = GateResult(status=Status.UNPROVEN, why="nobody outside", next_step="declare a vantage host")
    result = message.swept_too(unproven, Sweep(left=("left",)))
    assert result == replace(unproven, findings=("left",))
    good = message.swept_too(GateResult(status=Status.OK, why="messages arrive"), Sweep(left=("left",)))
    assert (good.status, good.findings) == (Status.DRIFT, ("left",))


def test_an_object_that_stays_in_the_storage_is_found(site: Site) -> None:
    site.storage.deletes = False
    said = findings(site)
    for name in ("vantage-1 over IPv4", "vantage-1 over IPv6", "a pod on w-1"):
        assert f"{name}: left behind in the object storage: synapse-media/local_content/" in said


def test_an_upload_that_nobody_can_download_stays_nowhere(site: Site) -> None:
    def refuse(passing: Passing) -> None:
        if "/media/download/" in passing.path:
            passing.status, passing.body = 404, b'{"errcode": "M_NOT_FOUND"}'

    site.outer.before = refuse
    assert "vantage-1 over IPv4: download a medium: HTTP 404 by main/main-1: M_NOT_FOUND" in findings(site)
    assert site.storage.objects == {}


def left_by_a_killed_probe(site: Site) -> str:
    """Return a user that a probe made and did not take away."""
    administration = Administration(administration_origin(site.world.context()), SECRET)
    user, _ = administration.register(Origin(name="m", dial=dial_to("127.0.0.1", site.inner.port)))
    return user.account.user


def uploaded_by_a_killed_probe(site: Site) -> tuple[str, tuple[str, str]]:
    """Return a user that a probe left and the names of the objects of its upload and of that's thumbnail."""
    administration = Administration(administration_origin(site.world.context()), SECRET)
    user, _ = administration.register(Origin(name="m", dial=dial_to("127.0.0.1", site.inner.port)))
    name = stored_media.object_name(media.upload(user)[0])
    user.close()
    thumbnail = f"{name.replace('local_content', 'local_thumbnails')}/32-32-image-png-scale"
    assert name in site.storage.objects
    site.storage.objects[thumbnail] = b"small"
    return user.account.user, (name, thumbnail)


def test_a_family_that_does_not_lead_there_is_found(site: Site) -> None:
    site.world.ports.pop((EXTERNAL[1], 443))
    assert "not reached from vantage-1 over IPv6" in findings(site)


def test_an_upload_that_is_not_in_the_object_storage_is_found(site: Site) -> None:
    site.uploads = False
    assert "an upload is not in the object storage" in findings(site)


def test_a_media_pod_that_does_not_serve_it_is_found(site: Site) -> None:
    def refuse(passing: Passing) -> None:
        passing.status, passing.body = 404, b'{"errcode": "M_NOT_FOUND"}'

    site.media[1].before = refuse
    assert "matrix/synapse-media-1 on w-1: does not serve an upload: HTTP 404 M_NOT_FOUND" in findings(site)


def test_one_media_pod_alone_proves_no_other(site: Site) -> None:
    site.world.objects["/api/v1/namespaces/matrix/pods"][-2]["status"]["conditions"] = []
    assert "1 media pods are ready: that another one serves an upload cannot be seen" in findings(site)


def test_two_sync_processes_of_which_one_gets_everybody_are_found(site: Site) -> None:
    site.outer.pool = site.inner.pool = lambda _passing: process(1)
    assert "every sync was served by synapse-sync-1" in findings(site)


def test_a_proxy_that_tells_nothing_is_found(site: Site) -> None:
    site.outer.pool = site.inner.pool = lambda _passing: ""
    assert "the proxy does not say which process answers" in findings(site)


HEARD = Findings(sync_servers=("sync/sync-1", "sync/sync-2"))
ALIKE = Findings(sync_servers=("sync/sync-1", "sync/sync-1"))


def test_without_a_way_from_outside_it_is_not_proven(site: Site) -> None:
    result = message.judged(site.world.context(), [Way("a pod on w-1", False, _nowhere())], [HEARD], ["x: refused"])
    assert result.status == Status.UNPROVEN


def test_a_message_that_came_to_both_through_one_process_crossed_nothing(site: Site) -> None:
    # That others were served by the other process proves nothing of a message between the two.
    heard = [ALIKE, ALIKE, replace(ALIKE, sync_servers=("sync/sync-2", "sync/sync-2"))]
    result = message.judged(site.world.context(), [Way("w", True, _nowhere())] * 3, heard, [])
    assert (result.status, "no message was seen to go from one process to another" in result.why) == (
        Status.UNPROVEN, True
    )  # fmt: skip


def test_a_message_that_crossed_over_any_way_crossed(site: Site) -> None:
    result = message.judged(site.world.context(), [Way("w", True, _nowhere())] * 2, [ALIKE, HEARD], [])
    assert (result.status, "through sync/sync-1 and sync/sync-2" in result.why) == (Status.OK, True)


def test_a_message_of_which_one_end_is_not_known_crossed_nothing(site: Site) -> None:
    heard = [replace(ALIKE, sync_servers=("sync/sync-1", "")), replace(ALIKE, sync_servers=("sync/sync-2",) * 2)]
    result = message.judged(site.world.context(), [Way("w", True, _nowhere())] * 2, heard, [])
    assert result.status == Status.UNPROVEN


def test_a_user_whom_the_proxy_moves_while_they_talk_is_met_again_elsewhere(site: Site) -> None:
    crowded = iter([process(1)] * 4)
    usual = site.outer.pool

    def pool(passing: Passing) -> str:
        moved = b'"ciphertext":"' in passing.body and place(passing).endswith("/sync")
        return next(crowded, usual(passing)) if moved else usual(passing)

    site.outer.pool = pool
    result = message.run(site.world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    assert "synapse-sync-0 and synapse-sync-1" in result.why or "synapse-sync-1 and synapse-sync-0" in result.why
    assert result.figures["sent"] == result.figures["delivered"] > 12


def test_a_way_from_this_machine_is_none_from_outside(site: Site) -> None:
    context = site.world.context()
    ways = own_ways(context)
    assert [way.outside for way in ways] == [False, False]
    result = message.judged(context, ways, [HEARD, HEARD], [])
    assert result.status == Status.UNPROVEN
    assert "messages arrive over this machine over IPv4" in result.why
    assert "from outside nobody tried: no vantage host" in result.why


def test_what_the_server_took_and_nobody_received_is_counted(world: World) -> None:
    steps = (Step("send", 0.1), Step("message", 0.2), Step("send", 0.1), Step("send encrypted", 0.1))
    heard = Findings(steps=steps, failures=("message: did not arrive within 20 s",))
    result = message.judged(world.context(), [Way("w", True, _nowhere())], [heard], [])
    assert result.status == Status.DRIFT
    figures = result.figures
    assert (figures["sent"], figures["delivered"], figures["lost_acknowledged"]) == (3, 1, 2)


def test_a_series_reports_its_figures(site: Site) -> None:
    site.world.options = {"every": 0.2, "for": 3}
    result = message.run(site.world.context())
    assert result.status == Status.OK
    assert set(result.figures) == set(message.FIGURES)
    assert (result.figures["sent"], result.figures["lost_acknowledged"]) == (15, 0)


SERIES = SeriesResult(
    sent=10, acknowledged=9, delivered=9, lost_acknowledged=0, gap_max_s=1.5, latency_p50_ms=20, latency_p99_ms=90,
    errors=Counter({"send: HTTP 503": 1}),
)  # fmt: skip


def test_a_series_with_a_disturbance_is_good_and_tells_of_it() -> None:
    result = message.series_judged(Way("w", True, _nowhere()), SERIES, ())
    assert (result.status, "1x send: HTTP 503" in result.why) == (Status.OK, True)


def test_a_series_that_was_interrupted_says_so_whatever_it_saw() -> None:
    for cut in (replace(SERIES, cut_after=3.5), replace(SERIES, cut_after=3.5, lost=("$e",))):
        result = message.series_judged(Way("w", True, _nowhere()), cut, ())
        assert (result.interrupted, "interrupted after 3.5 s" in result.why) == (True, True)
    assert not message.series_judged(Way("w", True, _nowhere()), SERIES, ()).interrupted


def test_a_series_in_which_nobody_outside_took_part_is_unproven_and_its_losses_are_found_all_the_same() -> None:
    inside = Way("this machine", False, _nowhere())
    result = message.series_judged(inside, SERIES, ())
    assert (result.status, "nobody outside" in result.why) == (Status.UNPROVEN, True)
    assert message.series_judged(inside, replace(SERIES, lost=("$e",)), ()).status == Status.DRIFT


def test_a_lost_message_is_found() -> None:
    lost = replace(SERIES, delivered=8, lost_acknowledged=1, lost=("$e (message 3)",))
    result = message.series_judged(Way("w", True, _nowhere()), lost, ())
    assert (result.status, result.findings[0]) == (Status.DRIFT, "acknowledged and never delivered: $e (message 3)")


def test_a_series_of_which_nothing_arrives_has_failed() -> None:
    silent = replace(SERIES, delivered=0, acknowledged=0)
    assert message.series_judged(Way("w", True, _nowhere()), silent, ()).status == Status.FAILED


def _nowhere() -> Origin:
    return Origin(name="m", dial=dial_to("127.0.0.1", 1))
