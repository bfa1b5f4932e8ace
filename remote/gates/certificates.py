"""Do the public names show a certificate that clients trust, over both families, for long enough?"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from model.host.certificate_chain import Chain, read_chain, wrongs
from model.report.outcome import Status
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.public import Way, authorities, outside_ways, own_ways

if TYPE_CHECKING:
    from model.kubernetes.manifests import Manifest

INGRESSES = "/apis/networking.k8s.io/v1/namespaces/matrix/ingresses"
# cert-manager renews a month before the end: what ends sooner was not renewed.
_DAYS = 14
_UNREACHED = "not reached"
_SECONDS = 10.0
_NEXT = "look at `kubectl describe certificate -n matrix` and at cert-manager's log"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedChain:
    """What a name showed over a way: its chain, or why there was none."""

    name: str
    way: str
    chain: Chain = ()
    failure: str = ""

    @property
    def is_unreached(self) -> bool:
        """Whether nobody answered at all."""
        return self.failure.startswith(_UNREACHED)


def run(context: GateContext) -> GateResult:
    """Shake hands for each name that an Ingress serves, over every way from outside."""
    declared = [found for one in context.rendered for found in one.objects if found["kind"] == "Ingress"]
    names = tuple(dict.fromkeys((*served_names(declared), *served_names(context.cluster.list(INGRESSES)))))
    if not names:
        return GateResult(
            status=Status.NOT_RUN, why="no Ingress serves a name over TLS yet", next_step="roll the haproxy out"
        )
    ways = outside_ways(context)
    outside = bool(ways)
    trusted = authorities(context)
    found = [shown(way, name, trusted) for way in ways or own_ways(context) for name in names]
    if not outside and not (found := [served for served in found if not served.is_unreached]):
        # This machine may have no way to the public name: it has seen nothing, good or bad.
        why = "this machine does not reach the public name, and nobody looked from outside"
        return GateResult(status=Status.UNPROVEN, why=why, next_step="declare a vantage host in hosts.yaml")
    return judged(found, datetime.now(UTC), outside=outside)


def served_names(ingresses: Sequence[Manifest]) -> tuple[str, ...]:
    """Return the names that Ingress objects serve over TLS."""
    names = [
        name for ingress in ingresses for entry in ingress["spec"].get("tls") or () for name in entry.get("hosts") or ()
    ]
    return tuple(dict.fromkeys(names))


def shown(way: Way, name: str, trusted: ssl.SSLContext) -> ServedChain:
    """Shake hands as a client does; the chain is judged by the authorities that clients trust."""
    try:
        connected = way.origin.dial(_SECONDS)
    except OSError as error:
        return ServedChain(name=name, way=way.name, failure=f"{_UNREACHED}: {error}")
    try:
        connected.settimeout(_SECONDS)
        with trusted.wrap_socket(connected, server_hostname=name) as encrypted:
            return ServedChain(name=name, way=way.name, chain=_chain(encrypted))
    except ssl.SSLCertVerificationError as error:
        return ServedChain(name=name, way=way.name, failure=f"is not trusted: {error.verify_message}")
    except (OSError, ValueError) as error:
        return ServedChain(name=name, way=way.name, failure=f"no handshake: {error}")
    finally:
        connected.close()


def judged(found: Sequence[ServedChain], now: datetime, *, outside: bool) -> GateResult:
    """Return what all handshakes come to."""
    findings = [finding for served in found for finding in _wrong(served, now)]
    until = min((served.chain[0].until for served in found if served.chain), default=None)
    figures = {"handshakes": float(len(found))}
    if until is not None:
        figures["days_left"] = float((until - now).days)
    if not found:
        return GateResult(status=Status.UNPROVEN, why="nobody shook hands", next_step="declare a vantage host")
    names = ", ".join(dict.fromkeys(served.name for served in found))
    where = "from outside" if outside else "from this machine"
    return concluded(findings, f"{names}: trusted {where}, until {until:%Y-%m-%d}" if until else names,
                     figures=figures, next_step=_NEXT)  # fmt: skip


def _wrong(served: ServedChain, now: datetime) -> Iterator[str]:
    where = f"{served.name} by {served.way}"
    if served.failure:
        yield f"{where}: {served.failure}"
        return
    if not served.chain:
        yield f"{where}: shows no certificate"
    yield from (f"{where}: the certificate {wrong}" for wrong in wrongs(served.chain, now, _DAYS, (served.name,)))


def _chain(encrypted: ssl.SSLSocket) -> Chain:
    leaf = encrypted.getpeercert(binary_form=True)
    return read_chain(ssl.DER_cert_to_PEM_cert(leaf)) if leaf else ()
