"""Does the ingress answer on its ports, lead to HTTPS, and keep its clients' addresses?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from ipaddress import ip_address
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from apps.message_probe.administration import Administration
from apps.message_probe.user import CLIENT, Account, ProbeError, User
from apps.message_probe.wire import Connection, Unanswered
from model.report.outcome import Status
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.public import HTTP, Way, administration_origin, outside_ways

if TYPE_CHECKING:
    from model.base import Address
    from model.site.hosts import Machine

# Synapse writes down whence somebody comes some seconds later.
_NOTED_SECONDS = 20.0
_NEXT = "look at the ingress controller's pods and at the perimeter's translation of 80 and 443"


def run(context: GateContext) -> GateResult:
    """Ask both ports over both families from outside; then have Synapse say whence a user came."""
    ways = outside_ways(context)
    if not ways:
        return GateResult(
            status=Status.UNPROVEN, why="nobody looked from outside", next_step="declare a vantage host in hosts.yaml"
        )
    findings = [wrong for way in outside_ways(context, port=HTTP) if (wrong := redirected(way))]
    findings += [wrong for way in ways if (wrong := answered(way))]
    if not findings:
        findings += kept(context, ways)
    proven = f"80 leads to HTTPS, 443 answers and clients' addresses stay theirs: {', '.join(way.name for way in ways)}"
    return concluded(findings, proven, figures={"ways": float(len(ways))}, next_step=_NEXT)


def redirected(way: Way) -> str:
    """Return what is wrong with plain HTTP: it must lead to the same name over HTTPS."""
    try:
        with Connection(way.origin) as connection:
            answer = connection.ask("GET", "/", seconds=15.0)
    except Unanswered as error:
        return f"{way.name}: port 80: no answer: {error}"
    target = urlsplit(answer.headers.get("location", ""))
    if answer.status not in (301, 302, 307, 308) or (target.scheme, target.hostname) != ("https", way.origin.name):
        led = " ".join(filter(None, (f"HTTP {answer.status}", answer.headers.get("location", ""))))
        return f"{way.name}: port 80: {led}, and it must lead to https://{way.origin.name}"
    return ""


def answered(way: Way) -> str:
    """Return what is wrong with HTTPS: Synapse must answer."""
    try:
        with Connection(way.origin) as connection:
            answer = connection.ask("GET", "/_matrix/client/versions", seconds=15.0)
    except Unanswered as error:
        return f"{way.name}: port 443: no answer: {error}"
    if answer.status != 200 or "versions" not in answer.document:
        return f"{way.name}: port 443: HTTP {answer.status}, and not as Synapse answers"
    return ""


def kept(context: GateContext, ways: Sequence[Way]) -> Iterator[str]:
    """
    Have a user come over each way, and yield which address Synapse noted where it is not the client's own, and what of
    these users could not be taken away again.
    """
    administration = Administration(
        administration_origin(context), context.secret("synapse", "registration_shared_secret")
    )
    accounts: list[Account] = []
    left: tuple[str, ...] = ()
    try:
        for way in ways:
            user, _ = administration.register(way.origin, patience=10.0)
            accounts.append(user.account)
            with closing(user):
                yield from came_from(context, administration, user, way)
    except ProbeError as error:
        yield f"that clients' addresses are kept was not seen: {error}"
    finally:
        left = administration.clear(accounts, (), ())
    yield from (f"left behind: {words}" for words in left)


def came_from(context: GateContext, administration: Administration, user: User, way: Way) -> Iterator[str]:
    """Yield what is wrong with the address that Synapse noted of a user."""
    own = _own_addresses(context, way)
    deadline = time.monotonic() + _NOTED_SECONDS
    noted: set[str] = set()
    while not noted and time.monotonic() < deadline:
        user.ask("ask who I am", "GET", f"{CLIENT}/account/whoami")
        noted = addresses_of(administration, user.account.user)
        if not noted:
            Event().wait(1.0)
    if not noted:
        yield f"{way.name}: Synapse notes no address of a client within {_NOTED_SECONDS:g} s"
    elif not {ip_address(address) for address in noted} <= own:
        wanted = ", ".join(map(str, sorted(own, key=str)))
        yield f"{way.name}: Synapse takes {', '.join(sorted(noted))} for the client, which is {wanted}"


def addresses_of(administration: Administration, user: str) -> set[str]:
    """Return the addresses that Synapse noted of a user."""
    said = administration.look(f"/v1/whois/{quote(user, safe='')}")
    return {
        str(connection["ip"])
        for device in (said.get("devices") or {}).values()
        for session in device.get("sessions") or ()
        for connection in session.get("connections") or ()
        if connection.get("ip")
    }


def _own_addresses(context: GateContext, way: Way) -> set[Address]:
    name = way.name.partition(" ")[0]
    machine: Machine = context.site.by_name[name]
    return set(machine.own)
