"""Does the web client come at its name, with the site's homeserver in its configuration, and can nobody frame it?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from apps.message_probe.wire import Answer, Connection, Unanswered
from model.report.outcome import Status
from model.rollout.values.element_web import CONFIG, HEADERS, config, public_name
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.public import Way, outside_ways, own_ways, reached

_WORKLOADS = "/apis/apps/v1/namespaces/matrix/deployments"
_BUDGETS = "/apis/policy/v1/namespaces/matrix/poddisruptionbudgets"
_OWN = "matrix-fleet.io/component=element-web"
_NEXT = "look at the Ingress, the pods and the ConfigMap of element-web in the namespace matrix"
_AGAIN = "python -m flows.rollout --component element-web"
_VANTAGE = "declare a vantage host in hosts.yaml"
_SECONDS = 15.0
_ABSENT = object()


def run(context: GateContext) -> GateResult:
    """Fetch the page and its configuration by the public name over every way, and look for the pods' budget."""
    site = context.site
    if not site.settings.features.element_web:
        return GateResult(status=Status.NOT_RUN, why="the site has no web client (features.element_web)")
    deployed = context.cluster.list(_WORKLOADS, labels=_OWN)
    if not deployed and any(part.name == "element-web" for part in context.rendered):
        return concluded(["matrix/element-web: its Deployment is not there"], "", next_step=_AGAIN)
    if not deployed:
        image = site.images.get("element-web")
        named = f"{image.name}:{image.tag}" if image else "its image (images.yaml has none)"
        why = f"Element Web was not rolled out: is {named} in the bundle or the site's registry?"
        return GateResult(status=Status.NOT_RUN, why=why)
    name = public_name(site.settings)
    ways = outside_ways(context, name)
    outside = bool(ways)
    if not ways:
        ways = tuple(way for way in own_ways(context, name) if not reached(way))
    if not ways:
        return GateResult(status=Status.UNPROVEN, why="nobody looked from outside", next_step=_VANTAGE)
    wanted = config(site.settings)
    findings = [finding for way in ways for finding in _asked(way, wanted)]
    if any(found["spec"].get("replicas", 1) > 1 for found in deployed) and not context.cluster.list(
        _BUDGETS, labels=_OWN
    ):
        findings.append("matrix/element-web: its pods have no disruption budget")
    if not findings and not outside:
        why = f"{name} shows the web client to this machine; nobody looked from outside"
        return GateResult(status=Status.UNPROVEN, why=why, next_step=_VANTAGE)
    return concluded(findings, f"{name} shows the web client, whose homeserver is the site's", next_step=_NEXT)


def _asked(way: Way, wanted: dict[str, object]) -> Iterator[str]:
    with Connection(way.origin) as connection:
        for path in ("/", f"/{CONFIG}"):
            where = f"{way.name}: {way.origin.host}{path}"
            try:
                answer = connection.ask("GET", path, seconds=_SECONDS)
            except Unanswered as error:
                yield f"{where}: no answer: {error}"
                continue
            if answer.status != 200:
                yield f"{where}: HTTP {answer.status}"
                continue
            yield from (f"{where}: {wrong}" for wrong in _unguarded(answer))
            if path != "/":
                yield from (f"{where}: {wrong}" for wrong in _differing(answer, wanted))


def _unguarded(answer: Answer) -> Iterator[str]:
    for name, value in HEADERS.items():
        if answer.headers.get(name.lower()) != value:
            yield f"{name} is {answer.headers.get(name.lower()) or 'absent'}, and {value} is wanted"


def _differing(answer: Answer, wanted: dict[str, object]) -> Iterator[str]:
    said = answer.document
    for key in sorted({*said, *wanted}):
        # What is left out is the publisher's, and not what `null` says.
        if said.get(key, _ABSENT) != wanted.get(key, _ABSENT):
            yield f"{key} is {_shown(said, key)}, and {_shown(wanted, key)} is wanted"


def _shown(document: Mapping[str, object], key: str) -> str:
    return json.dumps(document[key]) if key in document else "absent"
