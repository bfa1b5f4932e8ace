"""The controller's questions about names go to the router, whichever name server this machine is set up with."""

from __future__ import annotations

from lab.commands import call
from lab.instance import Instance
from lab.network import bridge, within
from lab.topology import MANAGEMENT, NETWORKS, ROUTER_NUMBER

_TABLE = "inet names"
# Of a routing table of its own, asked after the main one: only questions about names have a way to foreign addresses.
_ROUTES = "53"
_PREFERENCE = "33000"
_PORT = 53


def lead_to_router(instance: Instance) -> None:
    """
    Lead every question about a name, to whatever address outside the lab's networks, to the router.

    A question to an address of the lab goes there: who asks one of its name servers hears that one. Everything else
    still has no way out.
    """
    namespace, device = instance.namespace(), bridge(MANAGEMENT.name)
    for family, gateway in zip(("-4", "-6"), MANAGEMENT.at(ROUTER_NUMBER), strict=True):
        call(("ip", family, "-n", namespace, "route", "replace", "default", "via", str(gateway), "table", _ROUTES))
        for protocol in ("udp", "tcp"):
            what = ("ipproto", protocol, "dport", str(_PORT), "lookup", _ROUTES, "pref", _PREFERENCE)
            call(("ip", family, "-n", namespace, "rule", "add", *what))
    # A name server of this machine's own is asked at 127.0.0.0/8; the answer comes over the bridge.
    within(instance, "", ("sysctl", "--quiet", f"net.ipv4.conf.{device}.route_localnet=1"))
    within(instance, "", ("nft", "-f", "-"), ruleset())


def ruleset() -> str:
    """Return the translation for `nft -f`, in the lab's own namespace."""
    ipv4, ipv6 = MANAGEMENT.at(ROUTER_NUMBER)
    inside4 = ", ".join(str(network.ipv4) for network in NETWORKS.values())
    inside6 = ", ".join(str(network.ipv6) for network in NETWORKS.values())
    question = f"meta l4proto {{ tcp, udp }} th dport {_PORT}"
    return f"""table {_TABLE} {{
\tchain output {{
\t\ttype nat hook output priority -100; policy accept;
\t\tip daddr != {{ {inside4} }} {question} dnat ip to {ipv4}
\t\tip6 daddr != {{ {inside6} }} {question} dnat ip6 to {ipv6}
\t}}
\tchain postrouting {{
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\toifname {bridge(MANAGEMENT.name)} ip saddr 127.0.0.0/8 {question} masquerade
\t}}
}}
"""
