"""The words by which rows of the matrix call pods, and where those pods are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.site.components import Component
from model.site.rows import Row
from model.site.site import Site

EVERY_POD = "*"
SYSTEM_NAMESPACE = "kube-system"
# Of parts that this version does not bring yet: no pod is called so, and their rows open nothing.
LATER = frozenset(
    {
        "admin",
        "clamav",
        "content-scanner",
        "grafana",
        "key-vault",
        "livekit",
        "lk-jwt-service",
        "loki",
        "monitoring",
        "prometheus",
        "promtail",
        "sync",
        "synapse-admin-li",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSet:
    """The pods of a namespace that carry all of these labels."""

    namespace: str
    labels: Mapping[str, str]

    def holds(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Return whether a pod of the namespace that carries these labels is one of them."""
        return namespace == self.namespace and self.labels.items() <= labels.items()


# What the cluster itself brings: kubeadm gives its name servers this label.
_OF_THE_CLUSTER = {"coredns": PodSet(namespace=SYSTEM_NAMESPACE, labels={"k8s-app": "kube-dns"})}


def pod_words(site: Site) -> Mapping[str, PodSet]:
    """Return the pods behind each word that the site has: the cluster's own, and those of its components."""
    words, active = dict(_OF_THE_CLUSTER), site.settings.active
    for component in site.components:
        if component.holds(active):
            for word in component.pods:
                namespace, labels = component.selector(word)
                words[word] = PodSet(namespace=namespace, labels=labels)
    return words


def known_words(site: Site) -> frozenset[str]:
    """Return every word a row may use: those of all components, whether the site has them or not."""
    declared = {word for component in site.components for word in component.pods}
    return LATER | declared | _OF_THE_CLUSTER.keys() | {EVERY_POD}


def unknown_words(site: Site) -> Mapping[str, tuple[str, ...]]:
    """Return, by active row, the words that nobody knows: those of a site made for components of another time."""
    known = known_words(site)
    rows = (row for row in site.active_rows if row.plane == "pod")
    strange = {row.name: tuple(sorted({*row.pod_from, *row.pod_to} - known)) for row in rows}
    return {name: words for name, words in strange.items() if words}


def unspoken_words(site: Site, component: Component) -> tuple[str, ...]:
    """Return the words of a component that no row names: its pods would be closed to everybody."""
    spoken = {word for row in site.rows for word in (*row.pod_from, *row.pod_to)}
    return tuple(word for word in component.pods if word not in spoken)


def word_of(words: Mapping[str, PodSet], namespace: str, labels: Mapping[str, str]) -> str | None:
    """Return the word for a pod by its namespace and labels; None for a pod that no row speaks of."""
    return next((word for word, pods in words.items() if pods.holds(namespace, labels)), None)


def sends(row: Row, word: str) -> bool:
    """Return whether pods of this word are at the row's source."""
    return "pods" in row.source_ends and bool({word, EVERY_POD}.intersection(row.pod_from))


def receives(row: Row, word: str) -> bool:
    """Return whether pods of this word are at the row's destination."""
    return "pods" in row.destination_ends and bool({word, EVERY_POD}.intersection(row.pod_to))
