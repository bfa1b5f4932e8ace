"""What a host found out when it asked others: name servers, ports, the way to them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from model.host.dns_wire import DnsAnswer, answers
from model.host.machine_facts import Asked, Connect, Path
from model.host.shared_facts import Names

_RESULTS = {"Connection_refused": "refused", "Connection_timed_out": "silent"}
# States of a neighbour that answered just now; any other is a memory, or nobody.
_THERE = ("REACHABLE", "PERMANENT")
_KINDS = ("dns", "connect", "path", "time")


def asked(text: str) -> Asked:
    """Read the lines that the questions left; raises ValueError for one that none of them prints."""
    lines = tuple(_lines(text))
    names: dict[str, tuple[DnsAnswer, ...]] = {}
    for server, heard in (_dns(words[1:]) for words in lines if words[0] == "dns"):
        names[server] = names.get(server, ()) + heard
    return Asked(
        names=Names(names),
        connects=dict(_connect(words[1:]) for words in lines if words[0] == "connect"),
        paths={ip_address(words[1]): _path(words[2:]) for words in lines if words[0] == "path"},
    )


def synchronised(text: str) -> bool | None:
    """Return whether the host says that its clock follows another one; None where nothing there could tell."""
    for words in _lines(text):
        if words[0] == "time" and len(words) > 1:
            return words[1] == "yes"
    return None


def _lines(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        words = line.split()
        if words and words[0] not in _KINDS:
            raise ValueError(f"no answer to a question: {line}")
        if words:
            yield words


def _dns(words: list[str]) -> tuple[str, tuple[DnsAnswer, ...]]:
    """A question that was asked twice counts by its last answer."""
    heard = answers(bytes.fromhex(words[1])) if len(words) > 1 else ()
    return words[0] if words else "", tuple({(answer.name, answer.version): answer for answer in heard}.values())


def _connect(words: list[str]) -> tuple[tuple[str, int], Connect]:
    place, port, result, *near = words
    there = len(near) == 3 and near[2] in _THERE
    outcome = _RESULTS.get(result, result.replace("_", " ").lower())
    return (place, int(port)), Connect(outcome, near[1] if there else "")


def _path(words: list[str]) -> Path:
    mtu, small, large = words
    return Path(int(mtu), small == "yes", large == "yes")
