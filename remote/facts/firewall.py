"""A host's firewall rules, listeners and addresses, and all else that a firewall change has to reckon with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from model.checkout import HOST_SCRIPTS
from model.errors import ProtocolError
from model.packets.sockets import parse_addresses, parse_listeners, parse_peer
from model.ufw.facts import FirewallFacts
from model.ufw.foreign_rules import Rulesets
from remote.facts import devices, next_boot, unconfirmed
from remote.facts.packed import packing, unpacked
from remote.facts.sections import assignments, check_programs, new_mark, read_answer, shell_text

if TYPE_CHECKING:
    from nornir.core.inventory import Host

SCRIPT = HOST_SCRIPTS / "firewall-facts.sh"
# Over a path that loses every third packet the answer takes so long.
_SECONDS = 45.0
# What fills sections whose silence would mean something, by section; a bare host may have none of them installed.
_PROGRAMS = {
    "iptables-save": "iptables-save",
    "ip6tables-save": "ip6tables-save",
    "iptables-legacy-save": "iptables-legacy-save",
    "ip6tables-legacy-save": "ip6tables-legacy-save",
    "nft": "nft -j list ruleset",
    "listeners": "ss -Hlntup",
}


def observe(host: Host, *, boot: bool = False) -> FirewallFacts:
    """
    Look at a host in one round trip, as root; nothing but a POSIX shell is needed there, and nothing is changed.

    `boot`: what the next boot will do is tried, too. Raises `ProtocolError` for an answer that is cut short, and what
    running a command raises.
    """
    from remote.shell import run

    mark = new_mark()
    asked = f"mf_facts {mark} {'boot' if boot else ''}".rstrip()
    script = f"{text()}\n{packing(asked)}"
    seconds = _SECONDS + (next_boot.SECONDS if boot else 0.0)
    done = run(host, ("sh", "-s"), stdin=script.encode(), root=True, timeout=seconds).check(host)
    return parse(host.name, mark, unpacked(host.name, "its firewall", done.stdout), boot=boot)


def text() -> str:
    """Return the script that defines `mf_facts MARK [boot]`."""
    return "\n".join((next_boot.text(), devices.text(), unconfirmed.SCRIPT.read_text("utf-8"), shell_text(SCRIPT)))


def parse(host: str, mark: str, answer: bytes, *, boot: bool = False) -> FirewallFacts:
    """
    Read what `mf_facts` printed; `boot` as it was asked.

    Raises `ProtocolError` where a section is missing or cannot be understood, or where a program failed that should
    fill one: then nobody knows the host's rules, which is not the same as a host without any.
    """
    parts = read_answer(host, "its firewall", mark, answer)
    check_programs(host, parts, _PROGRAMS)
    try:
        return replace(_facts(parts), boot=next_boot.read(parts) if boot else None)
    except (ValueError, KeyError, IndexError) as error:
        raise ProtocolError(host, f"the answer about its firewall cannot be understood: {error}") from error


def _facts(parts: Mapping[str, str]) -> FirewallFacts:
    ufw = parts["ufw"].split()
    files = {name.removeprefix("file "): body for name, body in parts.items() if name.startswith("file /etc/")}
    release = files.pop("/etc/os-release", "")
    numbers = [int(word) for word in parts["conntrack"].split()]
    return FirewallFacts(
        installed="installed" in ufw,
        version=ufw[0] if ufw else "",
        files=files,
        rulesets=Rulesets(
            {4: parts["iptables-save"], 6: parts["ip6tables-save"]},
            {4: parts["iptables-legacy-save"], 6: parts["ip6tables-legacy-save"]},
            parts["nft"],
            devices.read(parts),
        ),
        listeners=parse_listeners(parts["listeners"]),
        addresses=parse_addresses(parts["addresses"]),
        conntrack=(numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0),
        python3=parts["python3"].strip(),
        os_release=assignments(release),
        unit_enabled="enabled" in parts["unit"],
        ipv6="yes" in parts["ipv6"],
        holder=parts["lock"].strip(),
        peer=parse_peer(parts["connection"]),
        unconfirmed=unconfirmed.read(parts["unconfirmed"], parts["lock"].strip()),
    )
