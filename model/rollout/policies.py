"""NetworkPolicies: every pod closed, and what the pod rows of the matrix open, seen from each pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model.errors import SiteError
from model.kubernetes.manifests import Manifest
from model.matrix.pod_words import EVERY_POD, SYSTEM_NAMESPACE, PodSet, pod_words, receives, sends, unknown_words
from model.rollout.policy_peers import host_peers, network_peers, pod_peer
from model.rollout.values.namespaces import levels
from model.site.rows import Row
from model.site.site import Site

CLOSED, EVERYBODY = "closed", "every-pod"
ROWS = "matrix-fleet.io/rows"
_BOTH = ["Ingress", "Egress"]


def network_policies(site: Site) -> tuple[Manifest, ...]:
    """
    Return the policies of the application's namespaces: one a word, and `every-pod` and `closed`, the last, so that
    nothing is cut off before it is opened.

    A word whose pods the site does not have opens nothing. Those of the cluster's own pods are `system_policies`.
    """
    words = pod_words(site)
    namespaces = sorted({*levels(site), *(pods.namespace for pods in words.values())} - {SYSTEM_NAMESPACE})
    return (
        *(_of_word(site, word, words) for word in sorted(words) if words[word].namespace in namespaces),
        *(_every_pod(site, namespace, words) for namespace in namespaces),
        *(_policy(namespace, CLOSED, {}, {}) for namespace in namespaces),
    )


def system_policies(site: Site) -> tuple[Manifest, ...]:
    """
    Return the policies of the cluster's own pods, which bootstrap brings; none where rows speak of pods that nobody
    knows, for what they open would be cut off.
    """
    if unknown_words(site):
        return ()
    words = pod_words(site)
    return tuple(_of_word(site, word, words) for word in sorted(words) if words[word].namespace == SYSTEM_NAMESPACE)


def refuse_unknown_words(site: Site) -> None:
    """Raise `SiteError` for a word of a row that is nobody's: what the row means to open would stay closed."""
    for row, words in unknown_words(site).items():
        raise SiteError(
            f"ports.yaml: {row} names pods that no component has: {', '.join(words)}",
            next_step="take the pod rows from the project's inventory/ports.yaml, or correct the words",
        )


def policy_names(site: Site) -> frozenset[str]:
    """Return the policies that must be there, as `namespace/name`."""
    metas = (policy["metadata"] for policy in (*system_policies(site), *network_policies(site)))
    return frozenset(f"{meta['namespace']}/{meta['name']}" for meta in metas)


def _every_pod(site: Site, namespace: str, words: Mapping[str, PodSet]) -> Manifest:
    rows = [row for row in _rows(site) if EVERY_POD in row.pod_from and "pods" in row.source_ends]
    return _policy(namespace, EVERYBODY, {}, {"egress": list(_egress(site, rows, words))}, rows)


def _of_word(site: Site, word: str, words: Mapping[str, PodSet]) -> Manifest:
    pods = words[word]
    # In the cluster's own namespace no policy speaks for every pod.
    outward = [row for row in _rows(site) if sends(row, word)]
    if pods.namespace != SYSTEM_NAMESPACE:
        outward = [row for row in outward if EVERY_POD not in row.pod_from]
    inward = [row for row in _rows(site) if receives(row, word)]
    rules = {
        "ingress": list(_ingress(site, inward, words)),
        "egress": list(_egress(site, outward, words)),
    }
    return _policy(pods.namespace, word, dict(pods.labels), rules, (*inward, *outward))


def _rows(site: Site) -> Iterator[Row]:
    return (row for row in site.active_rows if row.plane == "pod")


def _egress(site: Site, rows: Sequence[Row], words: Mapping[str, PodSet]) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        peers = [*_pods(row.destination_ends, row.pod_to, words)]
        for end in row.destination_ends:
            peers += [*host_peers(site, end, overlay=False), *network_peers(site, end)]
        # A rule without peers would open its ports to everybody.
        if peers:
            yield {"to": peers, "ports": _ports(row)}


def _ingress(site: Site, rows: Sequence[Row], words: Mapping[str, PodSet]) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        peers = [*_pods(row.source_ends, row.pod_from, words)]
        for end in row.source_ends:
            peers += [*host_peers(site, end, overlay=True), *network_peers(site, end)]
        if peers:
            yield {"from": peers, "ports": _ports(row)}


def _pods(ends: Sequence[str], named: Sequence[str], words: Mapping[str, PodSet]) -> Iterator[Mapping[str, Any]]:
    if "pods" not in ends:
        return
    for word in named:
        if word == EVERY_POD:
            yield {"namespaceSelector": {}}
        elif word in words:
            yield pod_peer(words[word])


def _ports(row: Row) -> list[Mapping[str, Any]]:
    ports: list[Mapping[str, Any]] = []
    for low, high in row.intervals:
        until = {} if low == high else {"endPort": high}
        ports.append({"protocol": row.protocol.upper(), "port": low, **until})
    return ports


def _policy(
    namespace: str, name: str, labels: Mapping[str, str], rules: Mapping[str, Any], rows: Sequence[Row] = ()
) -> Manifest:
    names = ", ".join(dict.fromkeys(row.name for row in rows))
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": name,
            "namespace": namespace,
            **({"annotations": {ROWS: names}} if names else {}),
        },
        "spec": {
            "podSelector": {"matchLabels": dict(labels)} if labels else {},
            "policyTypes": ["Egress"] if name == EVERYBODY else _BOTH,
            **{direction: listed for direction, listed in rules.items() if listed},
        },
    }
