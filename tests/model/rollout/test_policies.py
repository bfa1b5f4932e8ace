"""NetworkPolicies open what pod rows of the matrix say, between whom they say it, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.errors import SiteError
from model.kubernetes.manifests import Manifest
from model.matrix.pod_words import LATER, known_words, pod_words, receives, sends, word_of
from model.rollout.policies import CLOSED, EVERYBODY, ROWS, network_policies, policy_names, system_policies
from model.rollout.policy_peers import overlay_addresses
from model.rollout.render import render_component
from model.rollout.values.namespaces import levels
from model.site.site import Site
from tests.model.rollout.policy_world import Place, World
from tests.mutation import loaded, site

GOLDEN = Path(__file__).parents[2] / "data" / "policies" / "small-ranges.yaml"
SITE = loaded()
STRANGER = Place(namespace="default", labels=(("app", "stranger"),))
FEATURES: dict[str, dict[str, Any]] = {
    "reference": {},
    "federation, mail and push": {
        "site:federation": True,
        "site:features": {"smtp": True, "push_notifications": True},
    },
    "ACME": {"site:tls": {"method": "letsencrypt-http01", "li_method": "internal-ca", "email": "a@example.test"}},
    "MinIO": {"site:object_storage": {"provider": "minio"}},
    "the organisation's S3 and ingress": {
        "site:object_storage": {"provider": "external", "endpoint": "https://s3.example.test"},
        "site:ingress": {"controller": "organisation"},
    },
    "Calico": {"site:cni": {"name": "calico"}},
}


@cache
def _built(name: str) -> Site:
    import tempfile

    return site(Path(tempfile.mkdtemp()), set=FEATURES[name])


@pytest.fixture(params=FEATURES)
def chosen(request: pytest.FixtureRequest) -> Site:
    return _built(str(request.param))


def both(chosen: Site) -> tuple[Manifest, ...]:
    """Return all policies, bootstrap's and rollout's."""
    return (*system_policies(chosen), *network_policies(chosen))


def place(chosen: Site, word: str) -> Place:
    pods = pod_words(chosen)[word]
    return Place(namespace=pods.namespace, labels=tuple(sorted(pods.labels.items())), address="10.244.9.9")


def ports(chosen: Site) -> list[tuple[str, int]]:
    found = {
        (row.protocol, port)
        for row in chosen.rows
        if row.plane == "pod"
        for low, high in row.intervals
        for port in (low - 1, low, high, high + 1)
    }
    return sorted(found)


def test_between_words_exactly_the_rows_are_open(chosen: Site) -> None:
    world, words = World(both(chosen)), pod_words(chosen)
    rows = [row for row in chosen.active_rows if row.plane == "pod"]
    places, tried = {word: place(chosen, word) for word in words}, ports(chosen)
    wrong = []
    for source in words:
        for destination in words:
            between = [row for row in rows if sends(row, source) and receives(row, destination)]
            for protocol, port in tried:
                opened = any(
                    row.protocol == protocol and low <= port <= high for row in between for low, high in row.intervals
                )
                # Name servers are held at the words of rows, everybody else at every word.
                if world.admits(places[source], places[destination], protocol, port) != opened:
                    wrong.append((source, destination, protocol, port, opened))
    assert not wrong


def test_a_pod_that_no_row_speaks_of_reaches_what_is_everybodys(chosen: Site) -> None:
    world = World(both(chosen))
    reached = {
        word
        for word in pod_words(chosen)
        for target in (place(chosen, word),)
        for protocol, port in ports(chosen)
        if world.admits(STRANGER, target, protocol, port)
    }
    webhooks = {"cloudnative-pg", "cert-manager-webhook"} if chosen.settings.cni.name == "calico" else set()
    ingress = {"ingress"} if chosen.settings.ingress.controller == "contour" else set()
    assert reached == {"coredns"} | webhooks | ingress


def test_a_pod_without_a_word_in_a_held_namespace_may_ask_for_names_and_nothing_else() -> None:
    world = World(both(SITE))
    pod = Place(namespace="matrix", labels=(("app", "stranger"),))
    assert world.admits(pod, place(SITE, "coredns"), "udp", 53)
    assert not world.admits(pod, place(SITE, "postgresql"), "tcp", 5432)
    assert not world.admits(pod, Place(address="10.20.1.11"), "tcp", 6443)
    assert not world.admits(place(SITE, "synapse"), pod, "tcp", 8008)


@pytest.mark.parametrize(
    ("word", "address", "port", "opened"),
    [
        ("cloudnative-pg", "10.20.1.11", 6443, True),
        ("cloudnative-pg", "fd20:1::13", 6443, True),
        ("cloudnative-pg", "10.20.1.21", 6443, False),
        ("cloudnative-pg", "10.20.1.11", 10250, False),
        ("synapse", "10.20.1.11", 6443, False),
        ("coredns", "10.20.1.1", 53, True),
        ("coredns", "198.51.100.1", 53, False),
        ("synapse", "198.51.100.1", 443, False),
    ],
)
def test_hosts_are_reached_by_the_words_of_their_rows(word: str, address: str, port: int, opened: bool) -> None:
    assert World(both(SITE)).admits(place(SITE, word), Place(address=address), "tcp", port) is opened


@pytest.mark.parametrize(
    ("address", "word", "port", "opened"),
    [
        ("10.20.1.11", "cloudnative-pg", 9443, True),
        ("10.244.7.0", "cloudnative-pg", 9443, True),
        ("fd44:0:0:7::", "cert-manager-webhook", 10250, True),
        ("10.244.7.1", "cloudnative-pg", 9443, False),
        ("10.244.7.2", "cloudnative-pg", 9443, False),
        ("10.20.0.9", "cloudnative-pg", 9443, False),
        ("10.20.1.11", "cloudnative-pg", 8080, False),
        ("10.20.1.11", "postgresql", 5432, False),
        ("203.0.113.9", "ingress", 8443, True),
        ("10.244.7.2", "ingress", 8443, False),
        ("10.96.0.1", "ingress", 8443, False),
        # An isolated network is never meant by the internet.
        ("10.20.2.11", "ingress", 8443, False),
        ("203.0.113.9", "haproxy", 8008, False),
    ],
)
def test_from_outside_pods_only_the_ends_of_rows_come_in(address: str, word: str, port: int, opened: bool) -> None:
    assert World(both(SITE)).admits(Place(address=address), place(SITE, word), "tcp", port) is opened


def test_what_leaves_for_the_internet_never_means_pods_services_or_an_isolated_network() -> None:
    chosen = _built("federation, mail and push")
    world, synapse = World(both(chosen)), place(chosen, "synapse")
    opened = {
        address: world.admits(synapse, Place(address=address), "tcp", 8448)
        for address in ("203.0.113.9", "2001:db8::1", "10.244.3.3", "10.96.0.1", "10.20.2.11", "fd44::9")
    }
    assert opened == {
        "203.0.113.9": True,
        "2001:db8::1": True,
        "10.244.3.3": False,
        "10.96.0.1": False,
        "10.20.2.11": False,
        "fd44::9": False,
    }


def test_no_rule_is_without_ends_or_ports(chosen: Site) -> None:
    rules = [
        (policy["metadata"]["name"], rule, word)
        for policy in both(chosen)
        for direction, word in (("ingress", "from"), ("egress", "to"))
        for rule in policy["spec"].get(direction, ())
    ]
    assert rules
    assert all(rule[word] and rule["ports"] for _, rule, word in rules)


def test_every_namespace_with_pods_of_components_is_closed(chosen: Site) -> None:
    namespaces = {*levels(chosen), *(pods.namespace for pods in pod_words(chosen).values())} - {"kube-system"}
    assert {"matrix", "cnpg-system", "cert-manager"} <= namespaces
    assert {f"{namespace}/{name}" for namespace in namespaces for name in (CLOSED, EVERYBODY)} <= policy_names(chosen)
    closed = [policy for policy in both(chosen) if policy["metadata"]["name"] == CLOSED]
    assert [policy["spec"] for policy in closed] == [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}] * len(
        namespaces
    )


def test_every_active_row_between_words_of_the_site_stands_in_a_policy(chosen: Site) -> None:
    named = {
        row for policy in both(chosen) for row in policy["metadata"].get("annotations", {}).get(ROWS, "").split(", ")
    }
    words = pod_words(chosen)
    expected = {
        row.name
        for row in chosen.active_rows
        if row.plane == "pod" and any(sends(row, word) or receives(row, word) for word in words)
    }
    assert named - {""} == expected


def test_a_word_that_nobody_has_yet_opens_nothing() -> None:
    text = yaml.safe_dump_all(network_policies(SITE))
    assert not [word for word in LATER if f"matrix-fleet.io/pod: {word}\n" in text]


def test_every_word_of_rows_is_known() -> None:
    named = {word for row in SITE.rows for word in (*row.pod_from, *row.pod_to)}
    assert named <= known_words(SITE)


def test_a_pod_is_known_by_its_labels() -> None:
    words = pod_words(SITE)
    assert word_of(words, "matrix", {"cnpg.io/cluster": "postgresql", "role": "primary"}) == "postgresql"
    assert word_of(words, "default", {"cnpg.io/cluster": "postgresql"}) is None


def test_a_nodes_own_address_in_the_overlay_is_the_first_of_its_share() -> None:
    addresses = [str(address) for address in overlay_addresses(SITE)]
    assert {"10.244.0.0", "10.244.18.0", "fd44::", "fd44:0:0:12::"} <= set(addresses)
    assert len(addresses) == 512
    assert overlay_addresses(_built("Calico")) == ()


def test_the_component_renders_them_as_they_are() -> None:
    component = next(component for component in SITE.components if component.name == "network-policies")
    rendered = render_component(SITE, component).objects
    assert [_plain(manifest) for manifest in rendered] == [_plain(policy) for policy in network_policies(SITE)]


def _plain(manifest: Mapping[str, Any]) -> tuple[Any, ...]:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"], manifest["spec"]


def test_policies_are_the_golden_ones(tmp_path: Path) -> None:
    small = site(tmp_path, set={"site:kubernetes.pod_cidrs": ["10.244.0.0/23", "fd44::/63"]})
    assert list(yaml.safe_load_all(GOLDEN.read_text("utf-8"))) == list(network_policies(small))


def test_a_word_that_is_nobodys_is_refused_and_not_left_closed(tmp_path: Path) -> None:
    wrong = site(tmp_path, set={"ports:rows.pod-synapse.pod_from": ["haproxi"]})
    component = next(component for component in wrong.components if component.name == "network-policies")
    with pytest.raises(SiteError, match="pod-synapse names pods that no component has: haproxi"):
        render_component(wrong, component)


def test_a_site_whose_rows_speak_of_pods_of_another_time_keeps_its_name_servers_open(tmp_path: Path) -> None:
    wrong = site(tmp_path, set={"ports:rows.pods-kubernetes-api.pod_from": ["controllers"]})
    assert system_policies(wrong) == ()


def test_the_clusters_own_pods_are_bootstraps() -> None:
    assert [policy["metadata"]["name"] for policy in system_policies(SITE)] == ["coredns"]
    assert not [one for one in network_policies(SITE) if one["metadata"]["namespace"] == "kube-system"]
