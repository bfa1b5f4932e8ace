"""Does the site's own push gateway take what Synapse would tell it, and do Apple and Google take its keys?"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from apps.message_probe.wire import Answer, Connection, Unanswered
from model.report.outcome import Status
from model.rollout.values.sygnal import PATH, apps
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.public import Way, inside_way, outside_ways, own_ways, reached

_WORKLOADS = "/apis/apps/v1/namespaces/matrix/deployments"
# What no phone has: Apple and Google say so to whoever shows a key that they gave out.
_NOBODY = base64.b64encode(bytes(32)).decode()
_SECONDS = 30.0
_NEXT = "look at Sygnal's log; are the keys `push-apns` and `push-firebase` those of the apps in site.yaml?"


def run(context: GateContext) -> GateResult:
    """
    Tell the gateway of a message for a phone that there is not, once for each app.

    It answers that the phone is unknown, which it learns from Apple or Google, and so only with a key that they take.
    """
    site = context.site
    if "push_gateway" not in site.settings.active:
        return GateResult(status=Status.NOT_RUN, why="the site has no push gateway of its own")
    if not context.cluster.list(_WORKLOADS, labels="matrix-fleet.io/component=sygnal"):
        image = site.images["sygnal"]
        why = f"Sygnal was not rolled out: is {image.name}:{image.tag} in the bundle or the site's registry?"
        return GateResult(status=Status.NOT_RUN, why=why)
    ways = [way for way in (*outside_ways(context), *own_ways(context)) if not reached(way)]
    way = ways[0] if ways else inside_way(context)
    services = {name: str(app["type"]) for name, app in apps(site.settings.push).items()}
    findings = tuple(found for name, kind in services.items() for found in _wrongs(way, name, kind))
    proven = f"the push gateway answers over {way.name}, and its keys for {', '.join(services)} are taken"
    return concluded(findings, proven, next_step=_NEXT)


def _wrongs(way: Way, app: str, kind: str) -> Iterator[str]:
    where = f"{app} ({kind}) over {way.name}"
    try:
        answer = _told(way, app)
    except Unanswered as error:
        yield f"{where}: no answer: {error}"
        return
    if answer.status == 502:
        yield f"{where}: the push service is not reached, or does not take the key (HTTP 502)"
    elif answer.status != 200:
        yield f"{where}: HTTP {answer.status}"
    elif answer.document.get("rejected") != [_NOBODY]:
        yield f"{where}: a phone that there is not was not refused: {json.dumps(answer.document)[:200]}"


def _told(way: Way, app: str) -> Answer:
    device: Mapping[str, Any] = {"app_id": app, "pushkey": _NOBODY, "pushkey_ts": 0, "data": {}}
    counts = {"unread": 0}
    body = {"notification": {"event_id": "$probe", "room_id": "!probe", "counts": counts, "devices": [device]}}
    connection = Connection(way.origin)
    try:
        return connection.ask("POST", PATH, json.dumps(body).encode(), {"Content-Type": "application/json"}, _SECONDS)
    finally:
        connection.close()
