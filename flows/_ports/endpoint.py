"""The API's own addresses, which move between the control planes, and who holds them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flows._ports.observation import ObservedHosts, observe_again
from flows._run.publish import CONTROLLER
from model.base import Address
from model.host.hostview import HostView
from model.report.outcome import Outcome, Status
from model.site.hosts import Machine
from model.site.site import Site

if TYPE_CHECKING:
    from nornir.core import Nornir

SUBJECT = "endpoint"
STEP = "look at `systemctl status keepalived` on the control planes"
# Another control plane takes an address over within four seconds of the last word of the one that held it.
_LOOKS, _PAUSE_SECONDS = 4, 1.5


def once_settled(nr: Nornir, site: Site, observed: ObservedHosts) -> ObservedHosts:
    """
    Return the observation with the control planes read again, for some seconds, while nobody or several hold an address
    of the API: it may be on its way from one to the other.
    """
    for _ in range(_LOOKS):
        if not holders_of(site, observed.views)[1]:
            break
        time.sleep(_PAUSE_SECONDS)
        observed = look_again(nr, site, observed)
    return observed


def look_again(nr: Nornir, site: Site, observed: ObservedHosts) -> ObservedHosts:
    """Read the control planes that may hold an address of the API once more."""
    return observe_again(nr, observed, [machine.name for machine in _planes(site)])


def holders_of(site: Site, views: Mapping[str, HostView]) -> tuple[dict[Address, str], tuple[Outcome, ...]]:
    """
    Find who holds the API's own addresses; nobody or several are findings once the API is served and everybody was
    asked.
    """
    planes = _planes(site)
    served = any(
        listener.port == site.settings.kubernetes.endpoint.port and listener.protocol == "tcp"
        for machine in planes
        for listener in (views[machine.name].listeners if machine.name in views else ())
    )
    holders: dict[Address, str] = {}
    findings = []
    for address in dict.fromkeys(own for machine in planes for own in site.endpoint_addresses(machine)):
        names = [plane.name for plane in planes if plane.name in views and str(address) in views[plane.name].interfaces]
        if len(names) == 1:
            holders[address] = names[0]
        elif names or (served and all(machine.name in views for machine in planes)):
            who = f"{' and '.join(names)} hold it at once" if names else "no control plane holds it"
            message = f"the API's address {address}: {who}"
            findings.append(Outcome(CONTROLLER, SUBJECT, Status.DRIFT, message, next=STEP))
    return holders, tuple(findings)


def _planes(site: Site) -> list[Machine]:
    return [machine for machine in site.servers if site.endpoint_addresses(machine)]
