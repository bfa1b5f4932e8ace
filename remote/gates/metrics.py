"""Does the metrics API say of every node what it uses, and does each autoscaler see what its pods use?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from model.errors import ObjectMissing
from model.kubernetes.manifests import Manifest, name_of
from model.report.outcome import Status
from model.rollout.readiness import readiness
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.pods import AUTOSCALER, autoscalers, expected, namespaces

_SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"
_NODES = "/apis/metrics.k8s.io/v1beta1/nodes"
_NEXT = (
    "`kubectl -n metrics-server logs deployment/metrics-server` says which kubelet it cannot read; "
    "python -m flows.rollout --component metrics-server"
)
_SCALERS = (
    "`kubectl -n matrix describe hpa` says what each lacks; one that is not there: "
    "python -m flows.rollout --component synapse"
)
_NOTHING = re.compile(r"0*(\.0*)?[A-Za-z]*")


def run(context: GateContext) -> GateResult:
    """Ask for every node that pods may reach, and look at the autoscalers that the site is made of."""
    if not context.site.settings.features.autoscaling:
        return GateResult(status=Status.NOT_RUN, why="no load decides how many pods there are (features.autoscaling)")
    if unserved := _unserved(context):
        return concluded([unserved], "", next_step=_NEXT)
    wanted = [machine.name for machine in context.site.nodes]
    if not wanted:
        return GateResult(status=Status.UNPROVEN, why="the site has no node to ask for", next_step="declare servers")
    nodes = context.cluster.list(_NODES)
    scalers = [scaler for namespace in namespaces(context.site) for scaler in autoscalers(context, namespace)]
    mine = expected(context, {AUTOSCALER})
    if not mine:
        why = "which autoscalers Synapse has is not known: it is not rendered"
        return GateResult(status=Status.UNPROVEN, why=why, next_step="`python -m flows.rollout --dry-run` says why")
    hidden = tuple(unseen(wanted, nodes))
    findings = (*hidden, *blind(mine, scalers))
    figures = {"nodes": float(len(nodes)), "autoscalers": float(len(mine))}
    proven = f"what {len(wanted)} nodes use is known, and {len(mine)} autoscalers see what their pods use"
    return concluded(findings, proven, figures=figures, next_step=_NEXT if hidden else _SCALERS)


def unseen(wanted: Sequence[str], nodes: Sequence[Manifest]) -> Iterator[str]:
    """Yield the nodes of which the API says nothing, and those that are said to use nothing."""
    usage = {node["metadata"]["name"]: node.get("usage") or {} for node in nodes}
    for name in wanted:
        if name not in usage:
            yield f"node {name}: nobody says what it uses"
            continue
        for word in ("cpu", "memory"):
            if _NOTHING.fullmatch(str(usage[name].get(word, ""))):
                yield f"node {name}: is said to use no {word}"


def blind(wanted: Sequence[str], scalers: Sequence[Manifest]) -> Iterator[str]:
    """Yield the autoscalers that are not there, and those that cannot do their work."""
    there = {name_of(scaler): readiness(scaler) for scaler in scalers}
    for name in wanted:
        if name not in there:
            yield f"{name}: is not there"
        elif not there[name].ready:
            yield f"{name}: {there[name].why}"


def _unserved(context: GateContext) -> str:
    """Return why API servers have nobody to ask for metrics, empty where they have."""
    try:
        state = readiness(context.cluster.get(_SERVICE))
    except ObjectMissing:
        return "the cluster has no metrics API: nobody serves metrics.k8s.io"
    return "" if state.ready else f"API servers reach nobody who serves metrics.k8s.io: {state.why}"
