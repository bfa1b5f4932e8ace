"""The metrics server comes where load decides, believes no kubelet that it does not know, and is known itself."""

from __future__ import annotations

from typing import Any

import pytest

from model.rollout.gates import places
from model.rollout.policies import network_policies
from model.rollout.values.metrics_server import SERVERS
from tests.model.rollout.stacks import SITES, changed, found, site, stack

ON = "5000 with autoscaling"


def args() -> list[str]:
    (deployment,) = objects("Deployment")
    given: list[str] = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    return given


def objects(kind: str) -> list[dict[str, Any]]:
    return found("metrics-server", kind, SITES[ON]())


def test_it_comes_with_the_feature_alone_and_before_what_is_scaled() -> None:
    assert "metrics-server" not in {part.name for part in stack("mail at 5000").components}
    names = [part.name for part in stack(ON).components]
    assert names.index("cert-manager") < names.index("metrics-server") < names.index("synapse")
    assert ("metrics", "synapse") in {(place.gate, place.component) for place in places(SITES[ON]())}
    assert "metrics" not in {place.gate for place in places(SITES["mail at 5000"]())}


def test_both_ends_of_each_connection_are_known() -> None:
    (service,) = objects("APIService")
    assert "insecureSkipTLSVerify" not in service["spec"]
    certificate = next(one for one in objects("Certificate") if not one["spec"].get("isCA"))
    meta = certificate["metadata"]
    annotation = service["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
    assert annotation == f"{meta['namespace']}/{meta['name']}"
    where = service["spec"]["service"]
    assert certificate["spec"]["dnsNames"] == [f"{where['name']}.{where['namespace']}.svc"]
    assert "--kubelet-certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt" in args()
    assert not any("insecure" in word for word in args())


def test_kubelets_that_no_row_leads_to_are_left_out() -> None:
    assert "--node-selector=matrix-fleet.io/role-li!=true" in args()


def test_it_outlives_a_node() -> None:
    (deployment,) = objects("Deployment")
    assert deployment["spec"]["replicas"] == SERVERS
    assert objects("PodDisruptionBudget")


@pytest.mark.parametrize(("cni", "everybody"), [("flannel", False), ("calico", True)])
def test_only_api_servers_are_let_in_where_they_can_be_told_from_pods(cni: str, everybody: bool) -> None:
    of = site(changed(features={"autoscaling": True}, cni={"name": cni, "policies": "own"}))
    (policy,) = (
        found
        for found in network_policies(of)
        if (found["metadata"]["namespace"], found["metadata"]["name"]) == ("metrics-server", "metrics-server")
    )
    peers = [peer for rule in policy["spec"]["ingress"] for peer in rule["from"]]
    assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} == {10250}
    assert any("ipBlock" in peer for peer in peers)
    assert any("namespaceSelector" in peer for peer in peers) is everybody
    assert {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]} == {6443, 10250}
