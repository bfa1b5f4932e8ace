"""The words of iptables' options that are known here: what else each may be called, and what goes without saying."""

from __future__ import annotations

ICMP = {
    "echo-reply": "0",
    "pong": "0",
    "destination-unreachable": "3",
    "redirect": "5",
    "echo-request": "8",
    "ping": "8",
    "time-exceeded": "11",
    "ttl-exceeded": "11",
    "parameter-problem": "12",
}
ICMP6 = {
    "destination-unreachable": "1",
    "packet-too-big": "2",
    "time-exceeded": "3",
    "parameter-problem": "4",
    "echo-request": "128",
    "echo-reply": "129",
    "router-solicitation": "133",
    "router-advertisement": "134",
    "neighbor-solicitation": "135",
    "neighbour-solicitation": "135",
    "neighbor-advertisement": "136",
    "neighbour-advertisement": "136",
    "redirect": "137",
}
PROTOCOLS = {
    "0": "all",
    "1": "icmp",
    "2": "igmp",
    "6": "tcp",
    "17": "udp",
    "47": "gre",
    "50": "esp",
    "51": "ah",
    "58": "ipv6-icmp",
    "icmpv6": "ipv6-icmp",
    "89": "ospf",
    "112": "vrrp",
    "132": "sctp",
}
UNITS = ("sec", "min", "hour", "day")
LEVELS = ("emerg", "alert", "crit", "error", "warning", "notice", "info", "debug")
LONG = {
    "--protocol": "-p",
    "--proto": "-p",
    "--source": "-s",
    "--src": "-s",
    "--destination": "-d",
    "--dst": "-d",
    "--in-interface": "-i",
    "--out-interface": "-o",
    "--jump": "-j",
    "--goto": "-g",
    "--destination-port": "--dport",
    "--source-port": "--sport",
    "--match": "-m",
}
# Options whose value is one text, whatever it begins with.
TEXTS = ("--log-prefix", "--nflog-prefix", "--comment")
# What iptables-save says although nobody wrote it, as (option, value).
DEFAULTS = frozenset(
    {
        ("--reject-with", "icmp-port-unreachable"),
        ("--reject-with", "icmp6-port-unreachable"),
        ("--limit-burst", "5"),
        ("--log-level", "4"),
        ("-p", "all"),
        *((option, network) for option in ("-s", "-d") for network in ("0.0.0.0/0", "::/0")),
    }
)


# Options whose spellings are known here; of a rule with any other only its target is compared, unless the kernel's own
# tools wrote both.
KNOWN = frozenset(
    [
        "-s",
        "-d",
        "-p",
        "-i",
        "-o",
        "-j",
        "-g",
        "--dport",
        "--sport",
        "--dports",
        "--sports",
        "--ctstate",
        "--state",
        "--icmp-type",
        "--icmpv6-type",
        "--dst-type",
        "--src-type",
        "--limit",
        "--limit-burst",
        "--log-prefix",
        "--log-level",
        "--hl-eq",
        "--rt-type",
        "--reject-with",
        "--comment",
    ]
)
