"""Do clients find the homeserver by the domain's well-known documents, from outside and in a browser?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from apps.message_probe.wire import Answer, Connection, Unanswered
from model.errors import OutOfSight
from model.report.outcome import Status
from model.rollout.values.haproxy import client_document, server_document
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.public import Way, outside_ways, own_ways, reached

_NEXT = "look at the Ingress of the domain's own name and at the haproxy's configuration"
_VANTAGE = "declare a vantage host in hosts.yaml"
_FOLDER = "/.well-known/matrix"


def run(context: GateContext) -> GateResult:
    """Fetch the documents of the domain over every way that leads to it."""
    domain = context.site.settings.domain
    step = _VANTAGE
    try:
        ways = outside_ways(context, domain)
    except OutOfSight as error:
        ways, step = (), error.next_step
    outside = bool(ways)
    if not ways:
        ways = tuple(way for way in own_ways(context, domain) if not reached(way))
    if not ways:
        return GateResult(status=Status.UNPROVEN, why="nobody looked from outside", next_step=step)
    settings = context.site.settings
    wanted = {"client": client_document(settings), "server": server_document(settings)}
    findings = [finding for way in ways for finding in asked(way, wanted)]
    if not findings and not outside:
        why = f"{domain} leads clients to the homeserver, seen from this machine; nobody looked from outside"
        return GateResult(status=Status.UNPROVEN, why=why, next_step=step)
    return concluded(findings, f"{domain} leads clients to the homeserver, seen from outside", next_step=_NEXT)


def asked(way: Way, wanted: Mapping[str, Mapping[str, Any] | None]) -> Iterator[str]:
    """Yield what is wrong with the documents over one way."""
    with Connection(way.origin) as connection:
        for name, document in wanted.items():
            path = f"{_FOLDER}/{name}"
            where = f"{way.name}: {way.origin.host}{path}"
            try:
                answer = connection.ask("GET", path, seconds=15.0)
            except Unanswered as error:
                yield f"{where}: no answer: {error}"
                continue
            yield from (f"{where}: {wrong}" for wrong in _wrongs(answer, document))


def _wrongs(answer: Answer, document: Mapping[str, Any] | None) -> Iterator[str]:
    if document is None:
        if answer.status == 200:
            yield "is there, and nobody is meant to find it"
        return
    if answer.status != 200:
        yield f"HTTP {answer.status}"
        return
    if "application/json" not in answer.headers.get("content-type", ""):
        yield f"comes as {answer.headers.get('content-type') or 'nothing'}, not as JSON"
    if answer.headers.get("access-control-allow-origin") != "*":
        yield "a browser may not read it: Access-Control-Allow-Origin is not *"
    try:
        said = json.loads(answer.body)
    except ValueError:
        yield "holds no JSON"
        return
    for key, value in document.items():
        if said.get(key) != value:
            yield f"{key} is {json.dumps(said.get(key))}, and {json.dumps(value)} is wanted"
