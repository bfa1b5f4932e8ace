"""Claims about gates in the hands of the scheduled identity: what it may not look at is not_run, and never good."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any, cast

import pytest

from flows._rollout.gates import try_gate
from model.errors import OutOfSight
from model.report.outcome import Status
from model.rollout.gates import SITE_GATES
from model.site.outward import PushGateway
from remote.api_endpoint import ApiEndpoint
from remote.gates import dns, well_known
from remote.gates.gate import GateContext
from remote.kube import Cluster
from tests.model.rollout.stacks import APNS
from tests.mutation import loaded
from tests.remote.gates.test_dns_gate import NameServers
from tests.remote.gates.test_mail_gate import mailing
from tests.remote.gates.world import NamedHost, World

HIDDEN = (
    "certificates", "element-web", "endpoints", "federation", "ingress", "mail", "message", "metrics", "object-storage",
    "pods", "postgresql", "push", "redis", "routes", "synapse",
)  # fmt: skip


def closed(name: str, _key: str) -> bytes:
    """Keep every secret back, as the scheduled flow does."""
    raise OutOfSight(f"the scheduled account may not read the secret {name}")


@pytest.fixture
def context(world: World, monkeypatch: pytest.MonkeyPatch) -> GateContext:
    """What the scheduled identity has: hosts that start three programs, the real access to the API, no secret."""
    world.scheduled = True
    for place in ("remote.shell.run", "remote.shell.session"):
        monkeypatch.setattr(place, lambda *_, **__: pytest.fail("a host was reached"))
    settings = mailing(world.site.settings, probe="sink@example.org")
    features = settings.features.model_copy(update={"push_notifications": True, "autoscaling": True})
    push = PushGateway.model_validate(APNS)
    told = {"features": features, "push": push, "federation": True}
    world.site = replace(world.site, settings=settings.model_copy(update=told))
    plane = cast(Any, NamedHost("cp-1", scheduled=True))
    cluster = Cluster([ApiEndpoint(plane, ip_address("192.0.2.1"), "api.test")])
    return replace(world.context(), cluster=cluster, secret=closed)


def test_every_gate_is_one_that_it_can_try_or_one_that_it_cannot() -> None:
    of_components = {name for part in loaded().components for name in (*part.gates, *part.optional_gates)}
    assert {*of_components, *SITE_GATES} == {*HIDDEN, "dns", "well-known"}


@pytest.mark.parametrize("gate", HIDDEN)
def test_a_gate_that_it_cannot_try_is_not_run_with_the_reason_and_reaches_no_host(
    gate: str, context: GateContext
) -> None:
    result = try_gate(gate, "any", context).result
    assert (result.status, result.findings) == (Status.NOT_RUN, ())
    assert "the scheduled account may not" in result.why


def test_names_are_asked_by_the_program_that_lies_there_and_the_clusters_own_are_left(world: World) -> None:
    servers, started = NameServers(world), set[str]()

    def ran(argv: Any, stdin: bytes) -> str:
        started.update(argv)
        return servers.ran(argv, b"0\n" + stdin)

    world.ran, world.scheduled = ran, True
    plane = cast(Any, NamedHost("cp-1", scheduled=True))
    cluster = Cluster([ApiEndpoint(plane, ip_address("192.0.2.1"), "api.test")])
    context = replace(world.context(), cluster=cluster)
    result = dns.run(context)
    assert started == {"/usr/local/lib/matrix-fleet/collector"}
    assert result.status == Status.UNPROVEN
    assert "nobody asked inside the cluster" in result.why
    servers.change = lambda _view, _name, _usual: ("192.0.2.9",)
    assert dns.run(context).status == Status.DRIFT


def test_documents_are_fetched_by_this_machine_where_a_vantage_host_may_not_be_used(context: GateContext) -> None:
    tls = context.site.settings.tls.model_copy(update={"method": "acme"})
    site = replace(context.site, settings=context.site.settings.model_copy(update={"tls": tls}))
    result = well_known.run(replace(context, site=site))
    # This machine of the tests has no way to the public name.
    assert (result.status, result.why) == (Status.UNPROVEN, "nobody looked from outside")
    assert "--scheduled" in result.next_step
