"""What agents answered, as types; ValueError, TypeError, KeyError or IndexError for what cannot be understood."""

from __future__ import annotations

from model.bits import unpool
from model.verify.probing import AgentReady, FiredRound, PlainConnect, SeenStream, SentStream, WitnessRecord
from remote.probe.conversation import Message

PROTOCOLS = ("tcp", "udp")


def read_ready(message: Message) -> AgentReady:
    """Read an agent's first message."""
    ready = message["ready"]
    conntrack = ready["conntrack"]
    used_and_limit = None if conntrack is None else (int(conntrack[0]), int(conntrack[1]))
    return AgentReady(_text(ready["python"]), int(ready["pid"]), tuple(map(_text, ready["addresses"])), used_and_limit)


def read_fired(message: Message) -> FiredRound:
    """Read the end of a round."""
    done = message["done"]
    return FiredRound(int(done["sent"]), int(done["refused"]), int(done["unroutable"]), float(done["seconds"]))


def read_witnessed(message: Message) -> WitnessRecord:
    """Read a witness's results."""
    sets = unpool(message["bits"])
    seen = tuple(
        SeenStream(
            source=_text(source),
            address=_text(address),
            protocol=_protocol(protocol),
            arrived=sets[arrived],
            passed=sets[passed],
            source_seen=_text(source_seen),
            destination_seen=_text(destination_seen),
            shift=int(shift),
        )
        for source, address, protocol, arrived, passed, source_seen, destination_seen, shift in message["seen"]
    )
    connects = tuple(
        PlainConnect(_text(source), int(source_port), int(port), bool(arrived), bool(passed))
        for source, source_port, port, arrived, passed in message["connects"]
    )
    return WitnessRecord(seen, connects, int(message["overrun"]))


def read_sent(message: Message) -> tuple[SentStream, ...]:
    """Read a source's results."""
    sets = unpool(message["bits"])
    return tuple(
        SentStream(
            target=_text(name),
            address=_text(address),
            protocol=_protocol(protocol),
            sent=sets[sent],
            refused=sets[refused],
            unroutable={int(error): sets[place] for error, place in unroutable},
            synack=sets[synack],
            rst=sets[rst],
            data=sets[data],
            icmp={(int(kind), int(code), _text(sender)): sets[place] for kind, code, sender, place in icmp},
        )
        for name, address, protocol, sent, refused, synack, rst, data, unroutable, icmp in message["sent"]
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _protocol(value: object) -> str:
    if value not in PROTOCOLS:
        raise ValueError(f"{value!r} is no protocol")
    return str(value)
