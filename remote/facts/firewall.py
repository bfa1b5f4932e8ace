"""What are a host's firewall rules, listeners and addresses, and what would a firewall change have to reckon with?"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from model.checkout import HOST_SCRIPTS
from model.errors import ProtocolError
from model.packets.sockets import parse_addresses, parse_listeners, parse_peer
from model.ufw.facts import FirewallFacts
from model.ufw.foreign_rules import Rulesets

if TYPE_CHECKING:
    from nornir.core.inventory import Host

SCRIPT = HOST_SCRIPTS / "firewall-facts.sh"
_SECONDS = 20.0
# What fills sections whose silence would mean something, by section; a bare host may have none of them installed.
_ASKED = {"iptables-save": "iptables-save", "ip6tables-save": "ip6tables-save", "listeners": "ss -Hlntup"}
_MISSING = "missing"


def observe(host: Host) -> FirewallFacts:
    """
    Look at a host in one round trip, as root; nothing but a POSIX shell is needed there, and nothing is changed.

    Raises `ProtocolError` for an answer that is cut short, and what running a command raises.
    """
    from remote.shell import run

    mark = new_mark()
    script = f"{text()}\nmf_facts {mark}\n"
    done = run(host, ("sh", "-s"), stdin=script.encode(), root=True, timeout=_SECONDS).check(host)
    return parse(host.name, mark, done.stdout)


@cache
def text() -> str:
    """Return the script that defines `mf_facts MARK`."""
    return SCRIPT.read_text("utf-8")


def new_mark() -> str:
    """Return a word that no file of a host contains."""
    return f"mf-{secrets.token_hex(8)}"


def parse(host: str, mark: str, answer: bytes) -> FirewallFacts:
    """
    Read what `mf_facts` printed.

    Raises `ProtocolError` where a section is missing or cannot be understood, or where a program failed that should
    fill one: then nobody knows the host's rules, which is not the same as a host without any.
    """
    parts = sections(mark, answer.decode("utf-8", "surrogateescape"))
    if "end" not in parts:
        raise ProtocolError(host, "the answer about its firewall is cut short", "is it out of memory or disk?")
    for name, program in _ASKED.items():
        code = parts.get(f"end of {name}", "cut short").strip()
        nothing_to_ask = name == "ip6tables-save" and "yes" not in parts.get("ipv6", "yes")
        if code not in ("0", _MISSING) and not nothing_to_ask:
            raise ProtocolError(host, f"`{program}` failed there (exit code {code})", f"run `{program}` on it as root")
    try:
        return _facts(parts)
    except (ValueError, KeyError, IndexError) as error:
        raise ProtocolError(host, f"the answer about its firewall cannot be understood: {error}") from error


def sections(mark: str, answer: str) -> dict[str, str]:
    """Return what stands in each section of an answer, byte for byte, by the section's name."""
    parts = answer.split(f"\n{mark} ")[1:]
    pairs = (part.partition("\n") for part in parts)
    return {name: body for name, _, body in pairs}


def _facts(said: Mapping[str, str]) -> FirewallFacts:
    ufw = said["ufw"].split()
    files = {name.removeprefix("file "): body for name, body in said.items() if name.startswith("file /etc/")}
    release = files.pop("/etc/os-release", "")
    numbers = [int(word) for word in said["conntrack"].split()]
    return FirewallFacts(
        installed="installed" in ufw,
        version=ufw[0] if ufw else "",
        files=files,
        rulesets=Rulesets(
            {4: said["iptables-save"], 6: said["ip6tables-save"]},
            {4: said["iptables-legacy-save"], 6: said["ip6tables-legacy-save"]},
            said["nft"],
        ),
        listeners=parse_listeners(said["listeners"]),
        addresses=parse_addresses(said["addresses"]),
        conntrack=(numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0),
        python3=said["python3"].strip(),
        os_release=_assignments(release),
        unit_enabled="enabled" in said["unit"],
        ipv6="yes" in said["ipv6"],
        rollback=" ".join(said["rollback"].split()),
        holder=said["lock"].strip(),
        peer=parse_peer(said["connection"]),
    )


def _assignments(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key: value.strip().strip("\"'") for key, _, value in pairs}
