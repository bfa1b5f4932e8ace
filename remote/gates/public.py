"""The ways to the site's public name: from this machine, from outside, and from inside the cluster."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from apps.message_probe.wire import Connection, Dial, Origin, Unanswered, dial_to
from model.errors import FleetError
from remote.gates.pod import GatedPod, ready_pods
from remote.gates.relay import from_host
from remote.installed import keep_out

if TYPE_CHECKING:
    from remote.gates.gate import GateContext

HTTPS, HTTP = 443, 80
HAPROXY, INSIDE = 8008, 8009
TLS_SECRET = "/api/v1/namespaces/matrix/secrets/matrix-tls"  # noqa: S105 - a path


@dataclass(frozen=True, slots=True)
class Way:
    """
    A way to the public name: in a person's words, whether it surely comes from outside, and the server as it is
    reached.
    """

    name: str
    outside: bool
    origin: Origin


def public_name(context: GateContext) -> str:
    """Return the homeserver's name on the web."""
    return f"matrix.{context.site.settings.domain}"


def authorities(context: GateContext) -> ssl.SSLContext:
    """Return whom clients of the site trust: the world's authorities, and the site's own where it has one."""
    trusted = ssl.create_default_context()
    for text in _own_authorities(context):
        trusted.load_verify_locations(cadata=text)
    return trusted


def _own_authorities(context: GateContext) -> Iterator[str]:
    method = context.site.settings.tls.method
    if method == "internal-ca":
        secret = context.cluster.get(TLS_SECRET)
        # The authority's certificate is public; the key beside it is not looked at.
        authority = (secret.get("data") or {}).get("ca.crt")
        if not authority:
            raise FleetError(
                "the Secret matrix/matrix-tls names no authority (ca.crt)", "look at the Certificate matrix/matrix-tls"
            )
        yield base64.b64decode(authority).decode("ascii")
    if method == "organisation":
        for name in context.site.settings.servers.trusted_ca:
            yield (context.site.folder / name).read_text("ascii")


def external_addresses(context: GateContext) -> tuple[str, ...]:
    """Return the ingress's external addresses. Raises `FleetError` where the site names none."""
    plan = context.site.settings.external.get("ingress")
    if plan is None:
        raise FleetError("site.yaml names no external address of the ingress", "write it under `external.ingress`")
    return tuple(str(address) for address in plan.addresses)


def outside_ways(context: GateContext, name: str = "", port: int = HTTPS) -> tuple[Way, ...]:
    """
    Return a way from each vantage host to each external address.

    Raises `OutOfSight` where no connection may begin there.
    """
    called = name or public_name(context)
    tls = authorities(context) if port == HTTPS else None
    ways = []
    for machine in context.site.vantages:
        host = context.nr.inventory.hosts[machine.name]
        keep_out(host, "open connections from it")
        for address in external_addresses(context):
            origin = Origin(name=called, port=port, dial=from_host(host, address, port), tls=tls)
            ways.append(Way(f"{machine.name} over {family(address)}", True, origin))
    return tuple(ways)


def own_ways(context: GateContext, name: str = "") -> tuple[Way, ...]:
    """
    Return a way from this machine to each external address, whether it leads there or not. None is from outside: this
    machine may stand in the servers' own network.
    """
    called, tls = name or public_name(context), authorities(context)
    return tuple(
        Way(f"this machine over {family(address)}", False, Origin(name=called, dial=dial_to(address, HTTPS), tls=tls))
        for address in external_addresses(context)
    )


def reached(way: Way, seconds: float = 4.0) -> str:
    """Return nothing where the server is reached, and otherwise why it is not."""
    try:
        with Connection(way.origin) as connection:
            connection.ask("GET", "/_matrix/client/versions", seconds=seconds)
    except Unanswered as error:
        return str(error)
    return ""


def inside_way(context: GateContext) -> Way:
    """Return the way that the ingress's own pods go: to the proxy before Synapse, as the public name."""
    source: GatedPod = ready_pods(context, "ingress")[0]
    target: GatedPod = ready_pods(context, "haproxy")[0]
    dial: Dial = source.dial(target.addresses[0], HAPROXY)
    return Way(f"a pod on {source.host.name}", False, Origin(name=public_name(context), port=80, dial=dial, tls=None))


def administration_origin(context: GateContext) -> Origin:
    """Return the admin API as the proxy's own pod reaches it; it is on no public name."""
    proxy = ready_pods(context, "haproxy")[0]
    return Origin(name=public_name(context), port=80, dial=proxy.own(INSIDE), tls=None)


def family(address: str) -> str:
    """Return an address's family as a person calls it."""
    return f"IPv{ip_address(address).version}"
