"""
Ask a cluster's API server what it says of every object of every kind of site: `python -m tests.matrix.strict`.

Publishers' own manifests are those of the lab's bundle, and the rules that all objects keep are asked of them, too.
Prints, as JSON, how many objects were sent, what was refused and which rules are broken. Nothing is written: all are
dry runs, each object by a name that the cluster does not have, so that it is judged as a new one. Objects of namespaces
that other kinds of site have, and this cluster has not, are sent as those of `default`.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flows._fleet.hosts import closing
from flows._fleet.inventory import inventory
from flows._rollout.material import site_bundle
from model.errors import KubernetesError
from model.kubernetes.manifests import Manifest, name_of
from model.rollout.fill import fill
from model.rollout.invariants.rules import RULES
from model.rollout.invariants.stack import Stack
from model.rollout.render import Upstream, upstream_of
from model.site.load import load_site
from model.site.site import Site
from remote.kube import Cluster, open_cluster
from remote.strict_apply import apply_strictly
from tests.model.rollout.stacks import MORE_SITES, SITES, render

# Their names are their content's; the cluster's own come from the publishers' real files.
_AS_THEY_ARE = ("CustomResourceDefinition", "Namespace")
# The API server demands that it says in its name what it is of.
_NAMED = ("APIService",)
_WORKERS = 8
# One word that no Service has: silence about it would make silence about everything else worthless.
_MISSPELT: Manifest = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "misspelt", "namespace": "default"},
    "spec": {"clusterIP": "None", "sesionAffinity": "None"},
}


def main() -> int:
    """Send every distinct object and print what came of it."""
    folder = Path(os.environ["MATRIX_FLEET_INVENTORY"])
    nr, site = inventory(folder), load_site(folder)
    taken: set[str] = set()
    upstream = _publishers(site, folder, taken)
    stacks = {name: render(made(), upstream=upstream) for name, made in SITES.items()}
    stacks |= {name: render(made()) for name, made in MORE_SITES.items()}
    sent = {json.dumps(manifest, sort_keys=True): place for place, manifest in _objects(stacks, frozenset(MORE_SITES))}
    broken = sorted({sentence for stack in stacks.values() for judge in RULES.values() for sentence in judge(stack)})
    with closing(nr), open_cluster(nr, site) as cluster, ThreadPoolExecutor(_WORKERS) as pool:
        there = frozenset(item["metadata"]["name"] for item in cluster.list("/api/v1/namespaces"))
        answers = pool.map(lambda text: _answer(cluster, json.loads(text), there), sent)
        refused = {place: why for place, why in zip(sent.values(), answers, strict=True) if why}
        misspelt = _answer(cluster, _MISSPELT, there)
    document = {
        "sites": len(stacks),
        "objects": len(sent),
        "refused": refused,
        "broken": broken,
        "publishers": sorted(taken),
        "misspelt": misspelt,
    }
    json.dump(document, sys.stdout)
    return 0


def _publishers(site: Site, folder: Path, taken: set[str]) -> Upstream:
    """Return what reads manifests out of the lab's bundle; the names of those that are read come into `taken`."""
    place, bundle = site_bundle(site, folder)
    if place is None or bundle is None:
        raise RuntimeError("the lab's site names no bundle")
    read = upstream_of(bundle, place)

    def noted(name: str) -> str:
        text = read(name)
        taken.add(name)
        return text

    return noted


def _objects(stacks: Mapping[str, Stack], with_stand_ins: frozenset[str]) -> Iterator[tuple[str, Manifest]]:
    """Yield every object but those that stand in for publishers'."""
    for name, stack in stacks.items():
        for part in stack.components:
            if part.component.upstream and name in with_stand_ins:
                continue
            for manifest in part.objects:
                if manifest["kind"] not in _AS_THEY_ARE:
                    yield f"{name}: {part.name}: {name_of(manifest)}", fill(manifest, lambda _ref: b"no secret")


def _answer(cluster: Cluster, manifest: Manifest, namespaces: frozenset[str]) -> str:
    renamed = copy.deepcopy(manifest)
    if manifest["kind"] not in _NAMED:
        renamed["metadata"]["name"] = f"t-{manifest['metadata']['name']}"
    if "namespace" in renamed["metadata"] and renamed["metadata"]["namespace"] not in namespaces:
        renamed["metadata"]["namespace"] = "default"
    try:
        apply_strictly(cluster, renamed, dry_run=True)
    except KubernetesError as error:
        return error.detail or str(error)
    return ""


if __name__ == "__main__":
    sys.exit(main())
