"""What a verification makes of a cluster: none, one that answers, one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import pytest

from flows._ports.cluster import ClusterView, as_collected, ask, look
from model.errors import ApiUnreachable, PlanRefused
from model.host.hostview import HostView
from model.packets.sockets import Listener
from model.report.outcome import Status
from remote.facts.probe_ports import ClusterPorts
from tests.model.packets.listening import listener
from tests.model.verify.simulation import reference

VIP = "10.20.1.10"
KUBELET = listener("tcp", "::", 10250, "kubelet")
HAPROXY = listener("tcp", "::", 8443, "haproxy")
POD = {
    "metadata": {"namespace": "matrix-fleet"},
    "spec": {"nodeName": "w-1"},
    "status": {
        "podIPs": [{"ip": "10.244.5.2"}],
        "containerStatuses": [{"containerID": "containerd://abc", "state": {"running": {}}}],
    },
}
SERVICE = {
    "metadata": {"name": "echo", "namespace": "default"},
    "spec": {"ports": [{"port": 9999, "protocol": "TCP"}], "externalIPs": ["10.20.1.21"]},
}


class Api:
    """The lists an API holds, by the end of their paths; without any it gives no answer."""

    def __init__(self, **lists: list[Any]) -> None:
        self.lists = lists

    def list(self, path: str, **_: str) -> list[Any]:
        if not self.lists:
            raise ApiUnreachable("cp-1", "GET", "connection refused", "is any control plane up and joined?")
        return self.lists.get(path.rpartition("/")[2], [])


def seen(monkeypatch: pytest.MonkeyPatch, api: Api | None, **views: HostView) -> ClusterView:
    @contextmanager
    def open_cluster(*_: object) -> Iterator[Api]:
        assert api is not None, "there is nothing to ask"
        yield api

    monkeypatch.setattr("remote.kube.open_cluster", open_cluster)
    site = reference()
    # The client is told of no Nornir here.
    named = {name.replace("_", "-"): view for name, view in views.items()}
    return look(site, named, lambda: ask(None, site))  # type: ignore[arg-type]


def view(*listeners: Listener, holds: str = "") -> HostView:
    return HostView(chains={}, interfaces={holds: "eth0"} if holds else {}, listeners=listeners)


def nodes(*names: str) -> list[dict[str, Any]]:
    return [{"metadata": {"name": name}} for name in names]


def test_a_site_where_nothing_of_kubernetes_runs_is_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster_view = seen(monkeypatch, None, cp_1=view(), w_1=view(listener("tcp", "::", 22, "sshd")))
    assert (cluster_view.absent, cluster_view.outcomes, cluster_view.pods) == ("no cluster yet", (), ())


def test_an_api_that_gives_no_answer_is_a_failure_and_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster_view = seen(monkeypatch, Api(), w_1=view(KUBELET))
    (outcome,) = cluster_view.outcomes
    assert (outcome.subject, outcome.status) == ("cluster", Status.FAILED)
    assert "connection refused" in outcome.message
    assert cluster_view.absent == "the Kubernetes API gave no answer"


def test_a_cluster_without_probe_pods_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster_view = seen(monkeypatch, Api(nodes=nodes("w-1")), w_1=view(KUBELET))
    assert (cluster_view.absent, cluster_view.outcomes) == ("no probe pods run in the cluster", ())


def test_pods_of_hosts_that_answer_stand_for_their_nodes_and_a_node_without_one_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = Api(pods=[POD], nodes=nodes("w-1", "db-1", "st-1"))
    cluster_view = seen(monkeypatch, api, w_1=view(KUBELET), db_1=view(KUBELET), call_1=view())
    assert [pod.end for pod in cluster_view.pods] == ["pods@w-1"]
    assert cluster_view.absent == ""
    # st-1 did not answer, which is said elsewhere; call-1 is no node.
    assert [(outcome.host, outcome.subject, outcome.status) for outcome in cluster_view.outcomes] == [
        ("db-1", "probe-pod", Status.UNPROVEN)
    ]


def test_a_service_outside_the_matrix_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster_view = seen(monkeypatch, Api(services=[SERVICE], pods=[POD], nodes=nodes("w-1")), w_1=view(KUBELET))
    assert [(outcome.subject, outcome.status) for outcome in cluster_view.outcomes] == [
        ("service/default/echo", Status.DRIFT)
    ]
    assert [outcome.port for outcome in cluster_view.exposed] == [9999]


def test_who_holds_the_apis_address_is_seen_on_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster_view = seen(monkeypatch, None, cp_1=view(HAPROXY), cp_2=view(HAPROXY, holds=VIP))
    assert cluster_view.holders == {ip_address(VIP): "cp-2"}
    assert cluster_view.outcomes == ()


@pytest.mark.parametrize(
    ("holders", "words"), [((), "no control plane holds it"), (("cp_1", "cp_2"), "cp-1 and cp-2 hold it at once")]
)
def test_an_address_that_nobody_or_several_hold_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, holders: tuple[str, ...], words: str
) -> None:
    views = {name: view(HAPROXY, KUBELET, holds=VIP if name in holders else "") for name in ("cp_1", "cp_2")}
    cluster_view = seen(monkeypatch, Api(pods=[POD]), **views)
    (outcome,) = cluster_view.outcomes
    assert (outcome.subject, outcome.status) == ("endpoint", Status.DRIFT)
    assert words in outcome.message
    assert cluster_view.holders == {}


def test_an_address_whose_holder_may_be_a_host_that_gave_no_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(monkeypatch, Api(pods=[POD]), cp_1=view(HAPROXY, KUBELET)).outcomes == ()


def test_on_schedule_any_control_plane_that_tells_will_do_and_silence_names_its_cause() -> None:
    ports = ClusterPorts((), (), frozenset({"w-1"}))
    assert as_collected({"cp-1": "port 6443 of this host does not answer", "cp-2": ports}) is ports
    with pytest.raises(PlanRefused, match="cp-1: port 6443 of this host does not answer"):
        as_collected({"cp-1": "port 6443 of this host does not answer"})
    with pytest.raises(PlanRefused, match="no control plane was looked at"):
        as_collected({})
