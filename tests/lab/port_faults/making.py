"""How a fault is made on a host, and how everything of it is taken away again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from lab import network
from lab.instance import Instance
from lab.topology import MAIN, hosts_of
from tests.lab.port_faults.fault import CHAIN, MARK, TABLE, Fault

HOSTS = {host.name: host for host in hosts_of("small")}
_TOOLS = {
    ("iptables", 4): "iptables-nft",
    ("iptables", 6): "ip6tables-nft",
    ("legacy", 4): "iptables-legacy",
    ("legacy", 6): "ip6tables-legacy",
}


@contextmanager
def broken(instance: Instance, fault: Fault) -> Iterator[None]:
    """Hold a host broken while the block runs; afterwards its rules are, to the last, what they were."""
    before = state(instance, fault.host)
    tables = _tables(instance, fault.host)
    try:
        _run(instance, fault.host, making(fault))
        yield
    finally:
        _run(instance, fault.host, _taking_away(fault))
        added = [line for line in _tables(instance, fault.host) if line not in tables]
        _run(instance, fault.host, [("nft", "delete", *line.split()) for line in added])
    after = state(instance, fault.host)
    assert after == before, f"{fault} left something behind on {fault.host}:\n{after}"


def state(instance: Instance, host: str) -> str:
    """Return every rule of a host in both families, without counters."""
    native = network.within(instance, host, ("nft", "-s", "list", "ruleset"))
    legacy = [network.within(instance, host, (f"{_TOOLS['legacy', version]}-save",)) for version in (4, 6)]
    rules = [line for text in legacy for line in text.splitlines() if line.startswith("-A") or " DROP " in line]
    return native + "\n".join(rules)


def making(fault: Fault) -> list[tuple[str, ...]]:
    """Return the commands that make a fault."""
    if fault.tool == "nft":
        return [("nft", line) for line in _native(fault)]
    return [command for version in fault.versions for command in _iptables(fault, version)]


def addresses(host: str, version: int) -> list[str]:
    """Return a host's own addresses of an IP version."""
    legs = HOSTS[host].legs
    return [str(address) for leg in legs for address in leg.addresses if address.version == version]


def _run(instance: Instance, host: str, commands: Iterable[Sequence[str]]) -> None:
    for argv in commands:
        network.within(instance, host, argv)


def _tables(instance: Instance, host: str) -> list[str]:
    return network.within(instance, host, ("nft", "list", "tables")).splitlines()


def _taking_away(fault: Fault) -> Iterator[tuple[str, ...]]:
    """Every rule of iptables that is the fault's, found by its comment; tables of its own go by their names."""
    for version in fault.versions if fault.tool != "nft" else ():
        tool = _TOOLS[fault.tool, version]
        script = (
            f'for t in {fault.table} mangle; do {tool} -w 5 -t $t -S | grep -e "{TABLE}" | sed "s/^-A/-D/" | '
            f"while read -r rule; do eval {tool} -w 5 -t $t $rule; done; "
            f"if {tool} -w 5 -t $t -S {CHAIN} >/dev/null 2>&1; then {tool} -w 5 -t $t -X {CHAIN}; fi; done"
        )
        yield "sh", "-ec", script


def _iptables(fault: Fault, version: int) -> Iterator[tuple[str, ...]]:
    tool = (_TOOLS[fault.tool, version], "-w", "5")
    hook = fault.hook.upper()
    mine = ("-m", "comment", "--comment", TABLE)
    first = "OUTPUT" if not fault.inward else "PREROUTING"
    for peer in _peers(fault, version):
        match = ("-p", fault.protocol, *(("-s" if fault.inward else "-d", peer) if peer else ()), *_ports(fault))
        if fault.match == "mark":
            yield *tool, "-t", "mangle", "-I", first, "1", *match, *mine, "-j", "MARK", "--set-mark", hex(MARK)
            match = ("-p", fault.protocol, "-m", "mark", "--mark", hex(MARK))
        does = (*match, *mine, "-j", *_target(fault, version))
        if fault.place == "chain":
            yield "sh", "-c", f"{' '.join(tool)} -t {fault.table} -N {CHAIN} 2>/dev/null || :"
            yield *tool, "-t", fault.table, "-A", CHAIN, *does
            yield *tool, "-t", fault.table, "-I", hook, "1", "-p", fault.protocol, *mine, "-j", CHAIN
        elif fault.place == "last":
            yield *tool, "-t", fault.table, "-A", hook, *does
        else:
            yield *tool, "-t", fault.table, "-I", hook, "1", *does


def _ports(fault: Fault) -> tuple[str, ...]:
    if fault.match == "set":
        return "-m", "multiport", "--dports", ",".join(map(str, sorted({fault.low, fault.high})))
    return "--dport", f"{fault.low}:{fault.high}" if fault.high > fault.low else str(fault.low)


def _target(fault: Fault, version: int) -> tuple[str, ...]:
    if fault.verdict == "redirect":
        return "REDIRECT", "--to-ports", str(fault.to)
    if fault.verdict == "dnat":
        return "DNAT", "--to-destination", _place(fault, version)
    return (fault.verdict.upper(),)


def _place(fault: Fault, version: int) -> str:
    address = addresses(fault.to_host or fault.host, version)[0]
    return f"{address}:{fault.to}" if version == 4 else f"[{address}]:{fault.to}"


def _peers(fault: Fault, version: int) -> Sequence[str]:
    if fault.peer == "net":
        return (str(MAIN.ipv4 if version == 4 else MAIN.ipv6),)
    return addresses(fault.peer, version) if fault.peer else ("",)


def _native(fault: Fault) -> Iterator[str]:
    table = f"{fault.family} {TABLE}"
    yield f"add table {table}"
    kind = "nat" if fault.leads else "filter"
    device = " device eth0" if fault.family == "netdev" else ""
    yield f"add chain {table} base {{ type {kind} hook {fault.hook}{device} priority {fault.priority}; }}"
    at = "base"
    if fault.place == "chain":
        at = "inner"
        yield f"add chain {table} inner"
        yield f"add rule {table} base jump inner"
    elif fault.place == "last":
        yield f"add rule {table} base meta l4proto icmp counter"
    if fault.match == "named":
        interval = f"{fault.low}-{fault.high}" if fault.high > fault.low else str(fault.low)
        yield f"add set {table} ports {{ type inet_service; flags interval; elements = {{ {interval} }}; }}"
    for rule in _rules(fault):
        yield f"add rule {table} {at} {rule}"


def _rules(fault: Fault) -> Iterator[str]:
    """Yield the rules: one for both families where neither peer nor place has an address."""
    versions: Sequence[int | None] = fault.versions if fault.peer or fault.verdict == "dnat" else (None,)
    for version in versions:
        ip = {4: "ip", 6: "ip6", None: ""}[version]
        for peer in _peers(fault, version or 4):
            scope = f"{ip} {'saddr' if fault.inward else 'daddr'} {peer} " if peer else ""
            if version and not peer and fault.family == "inet":
                scope = f"meta nfproto ipv{version} "
            does = fault.verdict
            if fault.verdict == "redirect":
                does = f"redirect to :{fault.to}"
            elif fault.verdict == "dnat" and version:
                family = f" {ip}" if fault.family == "inet" else ""
                does = f"dnat{family} to {_place(fault, version)}"
            yield from _matching(fault, scope, does)


def _matching(fault: Fault, scope: str, does: str) -> Iterator[str]:
    interval = f"{fault.low}-{fault.high}" if fault.high > fault.low else str(fault.low)
    field = f"{scope}{fault.protocol} dport"
    if fault.match == "vmap":
        yield f"{field} vmap {{ {interval} : {does} }}"
    elif fault.match == "mark":
        yield f"{field} {interval} meta mark set {MARK}"
        yield f"{scope}meta l4proto {fault.protocol} meta mark {MARK} {does}"
    elif fault.match == "set":
        yield f"{field} {{ {', '.join(map(str, sorted({fault.low, fault.high})))} }} {does}"
    elif fault.match == "named":
        yield f"{field} @ports {does}"
    else:
        yield f"{field} {interval} {does}"
