"""What do packets and rules say of a port that a Service of the cluster took before the host's firewall could?"""

from __future__ import annotations

from model.verify.evidence_types import Classification, PairEvidence, ServiceIntercept

_BY_LISTS = "judged by the Service list and the rules in front of Services"


def offered(offer: ServiceIntercept, expected: str, protocol: str, packets: PairEvidence, port: int) -> Classification:
    """
    Judge one port whose probe arrived and did not come to the firewall.

    TCP shows by its reply whether it came through. UDP is silent either way: there the lists are asked, and the story
    says so.
    """
    name = f"Service {offer.service}"
    judged = _open if expected == "open" else _closed
    return judged(offer, name, protocol, _reply(packets, port))


def taken_at_source(offer: ServiceIntercept, expected: str) -> Classification:
    """
    Judge one port that the source's own node translates, so that the packet never leaves for its destination: the lists
    speak.
    """
    note = f"the source's own node leads it to Service {offer.service}: {_BY_LISTS}"
    if not offer.gate:
        return Classification(expected, "unknown", "unproven", "source", note)
    if offer.gate == "refuse":
        note = f"the source's own node keeps it from Service {offer.service}: {_BY_LISTS}"
    seen = "open" if offer.answered and offer.gate == "admit" else "closed"
    if seen == expected:
        return Classification(expected, seen, "ok", "", note)
    culprit = "nat" if seen == "open" else "source-egress" if offer.gate == "refuse" else "listener"
    return Classification(expected, seen, "violation", culprit, note)


def _open(offer: ServiceIntercept, name: str, protocol: str, reply: str) -> Classification:
    if reply == "service":
        return Classification("open", "open", "ok", "", f"{name} answered")
    if offer.gate == "refuse":
        return Classification(
            "open",
            "closed",
            "violation",
            "destination-firewall",
            f"the host's rules in front of Services keep it from {name}",
        )
    if not offer.answered:
        return Classification("open", "closed", "violation", "listener", f"{name} has no pod that is ready")
    if protocol == "tcp":
        return Classification("open", "closed", "violation", "listener", f"{name} does not answer")
    if offer.gate == "admit" and not reply:
        return Classification("open", "open", "ok", "", f"{name}: {_BY_LISTS}")
    if reply:
        return Classification("open", "closed", "violation", "listener", f"{name} refuses it")
    return Classification(
        "open", "unknown", "unproven", "witness", f"{name}: nobody can tell what the rules in front of Services do"
    )


def _closed(offer: ServiceIntercept, name: str, protocol: str, reply: str) -> Classification:
    if reply == "service":
        return Classification(
            "closed", "open", "violation", "destination-firewall", f"{name} answered whom no row admits"
        )
    if reply:
        return Classification(
            "closed", "open", "violation", "destination-firewall", f"{name} was asked by whom no row admits"
        )
    if offer.gate == "refuse":
        return Classification("closed", "closed", "ok", "", f"kept from {name}")
    if offer.gate == "admit":
        return Classification("closed", "open", "violation", "destination-firewall", f"no rule keeps it from {name}")
    if protocol == "tcp":
        return Classification("closed", "closed", "ok", "", f"{name} did not answer")
    return Classification(
        "closed", "unknown", "unproven", "witness", f"{name}: nobody can tell what the rules in front of Services do"
    )


def _reply(packets: PairEvidence, port: int) -> str:
    """`service` where somebody spoke, `refused` where somebody said no, else nothing."""
    bit = 1 << port
    if packets.replied & bit:
        return "service"
    return "refused" if packets.rst & bit or any(ports & bit for ports in packets.icmp.values()) else ""
