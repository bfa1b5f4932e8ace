"""Faults as hypothesis draws them: only such as the kernel takes, over the site's own ports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from lab.topology import ROUTER, VANTAGE
from tests.lab.port_faults.fault import Fault
from tests.lab.port_faults.truth import Matrix

# Hooks of each table of iptables, and what may be done there: the oftener named, the oftener drawn.
_TABLES = {
    "raw": (("prerouting", "output"), ("drop", "drop", "drop", "accept")),
    "mangle": (("prerouting", "input", "output", "postrouting"), ("drop", "drop", "drop", "accept")),
    "nat": (("prerouting", "output"), ("redirect", "dnat", "redirect", "dnat", "accept")),
    "filter": (("input", "input", "output"), ("drop", "reject", "accept")),
}
_NATIVE = {
    "prerouting": ("drop", "reject", "drop", "reject", "accept"),
    "input": ("drop", "reject", "drop", "reject", "accept"),
    "output": ("drop", "reject", "drop", "reject", "accept"),
    "postrouting": ("drop", "drop", "drop", "accept"),
}
# Behind none of them is a service of the lab; 65535 and 1 are the ends of all ports.
_CLOSED = (1, 2, 23, 111, 2381, 6000, 9999, 12345, 28000, 29999, 32768, 65535)
_TARGETS = (10250, 31000, 9999)
_PRIORITIES = (-310, -250, -150, -5, 0, 5, 100)
_SSH = 22
_FAMILIES = ("inet", "inet", "ip", "ip6")
_PLACES = ("first", "last", "chain")


@st.composite
def faults(draw: st.DrawFn, declared: Matrix, hosts: Sequence[str]) -> Fault:
    """Draw one fault on one of the hosts, or on the router."""
    host = draw(st.sampled_from((*hosts, ROUTER)))
    where = draw(_ON_ROUTER if host == ROUTER else _ON_HOST)
    fields = {**where, "host": host, "protocol": draw(st.sampled_from(("tcp", "udp")))}
    inward = where["hook"] not in ("output", "postrouting", "egress")
    intervals = _interval(declared, host, fields["protocol"], inward)
    if where["verdict"] in ("drop", "reject") and draw(st.integers(0, 4)):
        # What is closed already can be closed once more, and that is seldom worth a look.
        intervals = _interval(declared, host, fields["protocol"], inward, closed=False)
    fields["low"], fields["high"] = draw(intervals)
    fields["peer"] = draw(st.sampled_from(("", "", "net", *(other for other in hosts if other != host), VANTAGE)))
    if where["verdict"] in ("redirect", "dnat"):
        fields["to"] = draw(st.sampled_from(_TARGETS))
    if where["verdict"] == "dnat" and inward:
        fields["to_host"] = draw(st.sampled_from(("", *(other for other in hosts if other not in (host, "li-1")))))
    if fields["low"] <= _SSH <= fields["high"] and fields["protocol"] == "tcp" and not fields["peer"]:
        # Whoever cuts the controller off is another test's matter.
        fields["peer"] = "net"
    return Fault(**fields)


def _interval(
    declared: Matrix, host: str, protocol: str, inward: bool, *, closed: bool = True
) -> st.SearchStrategy[tuple[int, int]]:
    """One port that rows open, some of an open range, some over its edge, or ports that must be closed."""
    opened = sorted(
        {
            (low, high)
            for (source, destination, _, spoken), stretches in declared.expected.items()
            if spoken == protocol and host in (destination if inward else source, ROUTER)
            for low, high, expected in stretches
            if expected == "open"
        }
    )
    single = [(low, high) for low, high in opened if low == high]
    ranges = [(low, high) for low, high in opened if high > low + 10]
    kinds = [st.sampled_from(_CLOSED).map(lambda port: (port, port)), st.sampled_from(_CLOSED[:-2]).map(_few)]
    if opened and not closed:
        kinds = []
    if single:
        kinds += [st.sampled_from(single)] * 2 + [st.sampled_from(single).map(lambda port: (port[0] - 1, port[1] + 2))]
    if ranges:
        kinds.append(st.sampled_from(ranges).flatmap(_within))
        kinds.append(st.sampled_from(ranges).map(lambda port: (port[0] - 3, port[0] + 4)))
    return st.one_of(kinds)


def _few(port: int) -> tuple[int, int]:
    return port, port + 20


def _within(interval: tuple[int, int]) -> st.SearchStrategy[tuple[int, int]]:
    low, high = interval
    return st.tuples(st.integers(low, high), st.integers(0, 200)).map(lambda at: (at[0], min(high, at[0] + at[1])))


@st.composite
def _tables(draw: st.DrawFn) -> dict[str, Any]:
    table = draw(st.sampled_from(sorted(_TABLES)))
    hooks, verdicts = _TABLES[table]
    return {
        "tool": draw(st.sampled_from(("iptables", "iptables", "legacy"))),
        "table": table,
        "family": draw(st.sampled_from(_FAMILIES)),
        "hook": draw(st.sampled_from(hooks)),
        "verdict": draw(st.sampled_from(verdicts)),
        "match": draw(st.sampled_from(("interval", "set", "mark" if table in ("nat", "filter") else "interval"))),
        "place": draw(st.sampled_from(_PLACES)),
    }


def _nft(
    hooks: Sequence[str],
    verdicts: Sequence[str],
    priorities: Sequence[int] = (0,),
    families: Sequence[str] = _FAMILIES,
    more_matches: Sequence[str] = (),
) -> st.SearchStrategy[dict[str, Any]]:
    drawn: dict[str, Sequence[object]] = {
        "tool": ("nft",),
        "family": families,
        "hook": hooks,
        "priority": priorities,
        "verdict": verdicts,
        "match": ("interval", "set", "named", *more_matches),
        "place": _PLACES,
    }
    return st.fixed_dictionaries({field: st.sampled_from(values) for field, values in drawn.items()})


def _filtering(hook: str) -> st.SearchStrategy[dict[str, Any]]:
    return _nft((hook,), _NATIVE[hook], _PRIORITIES, more_matches=("mark", "vmap")).map(_possible)


def _possible(where: dict[str, Any]) -> dict[str, Any]:
    """A map of verdicts knows no reject."""
    return {**where, "match": "interval"} if (where["match"], where["verdict"]) == ("vmap", "reject") else where


_ON_ROUTER = _nft(("forward",), ("drop", "reject", "accept"), (-5, 5))
_ON_HOST = st.one_of(
    st.sampled_from(sorted(_NATIVE)).flatmap(_filtering),
    _nft(("prerouting", "output"), ("redirect", "dnat"), (-110, -100, -90)),
    _nft(("ingress", "egress"), ("drop", "drop", "drop", "accept"), families=("netdev",), more_matches=("vmap",)),
    _tables(),
)
