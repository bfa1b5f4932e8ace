"""A host, and what runs or once ran on it, seen in one round trip before anything is installed there."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING

from model.base import Address
from model.checkout import HOST_SCRIPTS
from model.errors import ProtocolError
from model.host.dns_wire import TYPES, question
from model.host.machine_facts import Asked, Clock, MachineFacts, Questions
from remote.facts import packaging
from remote.facts.machine_answers import asked, synchronised
from remote.facts.machine_host import hardware, identity, software, system
from remote.facts.machine_network import networking
from remote.facts.sections import check_programs, new_mark, read_answer, shell_text

if TYPE_CHECKING:
    from nornir.core.inventory import Host

SCRIPT = HOST_SCRIPTS / "host-facts.sh"
NOTHING = Questions()
_SECONDS = 30.0
# What fills sections whose silence would mean something; a bare host may have none of them installed.
_PROGRAMS = {
    "addresses": "ip -j addr",
    "listeners": "ss -Hlntup",
    "iptables-save": "iptables-save",
    "ip6tables-save": "ip6tables-save",
    "nft": "nft -j list ruleset",
    "packages": "dpkg-query -W",
}


def observe(host: Host, questions: Questions = NOTHING) -> MachineFacts:
    """
    Look at a host in one round trip, as root; nothing but Debian's essential packages is needed there, and nothing is
    changed.

    Raises `ProtocolError` for an answer that is cut short or not understood, and what running a command raises.
    """
    from remote.shell import run, session

    # How far apart the clocks are is known as exactly as the round trip is short: without the time to connect.
    session(host)
    mark = new_mark()
    started = time.time()
    program = script(mark, questions).encode()
    done = run(host, ("sh", "-s"), stdin=program, root=True, timeout=_SECONDS).check(host)
    return parse(host.name, mark, done.stdout, (started, time.time()))


def script(mark: str, questions: Questions) -> str:
    """Return the shell script that answers the questions and tells the facts at the same time."""
    lines = [*_lines(questions), "mf_time &", "wait"]
    functions = f"{shell_text(SCRIPT)}\n{packaging.SCRIPT.read_text('utf-8')}"
    return f"{functions}\n{{\n{chr(10).join(lines)}\n}} </dev/null 2>/dev/null | mf_facts {mark}\n"


def _lines(questions: Questions) -> list[str]:
    asked = [
        ("mf_dns", _server(server), str(len(names) * len(TYPES)), *_packets(names)) for server, names in questions.dns
    ]
    connects = [("mf_connect", place, str(port)) for place, port in questions.connects]
    paths = [("mf_path", str(address), "28" if address.version == 4 else "48") for address in questions.paths]
    return [f"{_line(words)} &" for words in (*asked, *connects, *paths)]


def _line(words: tuple[str, ...]) -> str:
    # Its own name server is known to the host alone.
    return " ".join(word if word == _OWN_SERVER else shlex.quote(word) for word in words)


_OWN_SERVER = "\"$(sed -n 's/^nameserver[[:space:]]*//p' /etc/resolv.conf | head -n 1)\""


def _server(server: Address | None) -> str:
    return _OWN_SERVER if server is None else str(server)


def _packets(names: tuple[str, ...]) -> list[str]:
    pairs = [(name, version) for name in names for version in TYPES]
    packets = [question(number, name, version) for number, (name, version) in enumerate(pairs, 1)]
    return ["".join(f"\\0{byte:03o}" for byte in packet) for packet in packets]


def parse(host: str, mark: str, answer: bytes, between: tuple[float, float]) -> MachineFacts:
    """
    Read what the script printed; `between` are the controller's times just before it was sent and after it had ended.

    Raises `ProtocolError` where a section is missing or cannot be understood, or where a program failed that should
    fill one: then nobody knows, which is not the same as a host without any.
    """
    parts = read_answer(host, "it", mark, answer)
    check_programs(host, parts, _PROGRAMS)
    try:
        return MachineFacts(
            system=system(parts),
            hardware=hardware(parts),
            identity=identity(parts),
            clock=_clock(parts, between),
            network=networking(parts),
            software=software(parts),
            asked=asked(parts["asked"]),
        )
    except (ValueError, KeyError, IndexError) as error:
        raise ProtocolError(host, f"the answer about it cannot be understood: {error}") from error


def _clock(parts: dict[str, str], between: tuple[float, float]) -> Clock:
    """Its first time is of no earlier moment than the question, its last of none later than the answer."""
    first, last = float(parts["begins"].split()[0]), float(parts["ends"])
    return Clock(least=last - between[1], most=first - between[0], synchronised=synchronised(parts["asked"]))


__all__ = ["NOTHING", "Asked", "observe", "parse", "script"]
