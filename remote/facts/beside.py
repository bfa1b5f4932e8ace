"""What a host tells beside the collector, in one round trip."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from model.errors import HostError, ProtocolError
from model.host.beside import Beside
from model.host.host_facts import HostFacts
from remote.facts import devices, next_boot, packaging, unconfirmed
from remote.facts.sections import new_mark, read_answer, shell_text
from remote.installed import program

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_SECONDS = 15.0
_WITHHELD = "the account of the schedule may try nothing: a run of flows.compliance by a person does"


def with_beside(facts: HostFacts, host: Host) -> HostFacts:
    """Return a host's facts with what it tells beside the collector, or with why it could not be had."""
    try:
        return replace(facts, parts={**facts.parts, Beside: observe(host)})
    except HostError as error:
        return replace(facts, unseen={**facts.unseen, Beside: error.message})


def observe(host: Host) -> Beside:
    """
    Look at a host in one round trip, as root; nothing is changed. The scheduled identity is told nothing.

    Raises `ProtocolError` for an answer that is cut short or not understood, and what running a command raises.
    """
    from remote.shell import run

    if program(host, "collector"):
        return Beside(withheld=_WITHHELD)
    mark = new_mark()
    done = run(host, ("sh", "-s"), stdin=script(mark).encode(), root=True, timeout=_SECONDS + next_boot.SECONDS)
    return parse(host.name, mark, done.check(host).stdout)


def script(mark: str) -> str:
    """Return the shell text that prints the answer which `parse` reads."""
    texts = (shell_text(unconfirmed.SCRIPT), packaging.SCRIPT.read_text("utf-8"), devices.text(), next_boot.text())
    asked = ("mf_unconfirmed", "mf_holder", "mf_packaging", "mf_devices", "mf_next_boot", "mf_section end")
    calls = (f"mf_mark={mark}", "{", *asked)
    return "\n".join((*texts, *calls, "} </dev/null\n"))


def parse(host: str, mark: str, answer: bytes) -> Beside:
    """Read what the script printed; raises `ProtocolError` where it is cut short or cannot be understood."""
    parts = read_answer(host, "its next boot", mark, answer)
    try:
        journal, complaint = packaging.read(parts)
        return Beside(
            boot=next_boot.read(parts),
            unconfirmed=unconfirmed.read(parts["unconfirmed"], parts["lock"].strip()),
            journal=journal,
            apt=complaint,
            devices=devices.read(parts),
        )
    except (ValueError, KeyError, IndexError) as error:
        raise ProtocolError(host, f"the answer about its next boot cannot be understood: {error}") from error
