"""The controller's side of the agents: arm a witness, fire a source, and read what both saw."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Self, TypeVar

from model.bits import Pool
from model.verify.probing import AgentReady, Assignment, ExpectedStream, FiredRound, SentStream, WitnessRecord
from remote.probe.answers import read_fired, read_ready, read_sent, read_witnessed
from remote.probe.bundle import LIFE_S
from remote.probe.conversation import AgentStream, Conversation, Message

T = TypeVar("T")

# Where every third packet is lost, an answer of some kilobytes may take half of that.
START_S = 30.0
ANSWER_S = 30.0
QUIET_MS = 200
LIMIT_MS = 5000
RATE = 20_000


class AgentSession:
    """What witness and source have in common; `ready` is what the agent said of its host."""

    role = ""

    def __init__(self, conversation: Conversation, timeout: float) -> None:
        self.conversation = conversation
        self.ready: AgentReady = self._read(read_ready, self.conversation.hear(timeout, "ready"))

    @classmethod
    def open(
        cls,
        host: str,
        stream: AgentStream,
        *,
        container: str = "",
        timeout: float = START_S,
        life: int = LIFE_S,
        installed: bool = False,
    ) -> Self:
        """
        Send the agent over a stream that runs `bundle.argv(role)` as root, and return it once it is ready.

        `container`: the agent stands in that container's network, not in the host's. `installed`: the stream runs an
        agent that lies on the host, whose life is its own. The agent ends by itself after `life` seconds. Raises
        ProtocolError, as every method here does.
        """
        conversation = Conversation(host, cls.role, stream, life, installed=installed)
        conversation.tell({"container": container})
        return cls(conversation, timeout)

    def close(self) -> None:
        """End the agent; nothing of it stays on the host."""
        self.conversation.close()

    def _read(self, reader: Callable[[Message], T], message: Message) -> T:
        try:
            return reader(message)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise self.conversation.error(f"answered what cannot be understood: {error}") from error


class WitnessSession(AgentSession):
    """A host's witness."""

    role = "witness"

    def arm(
        self,
        key: bytes,
        expected: Sequence[ExpectedStream],
        connects: Collection[int] = (),
        *,
        timeout: float = ANSWER_S,
    ) -> None:
        """
        Start to look for the expected streams of the run with this key, and for plain TCP connections to `connects`.

        Forgets what an earlier arming saw.
        """
        pool = Pool()
        rows = [
            [stream.source, list(stream.source_addresses), stream.address, pool.add(stream.tcp), pool.add(stream.udp)]
            for stream in expected
        ]
        request = {"do": "arm", "key": key.hex(), "expected": rows, "connects": sorted(connects), "bits": pool.texts}
        self.conversation.tell(request)
        self.conversation.hear(timeout, "armed")

    def collect(
        self, *, quiet_ms: int = QUIET_MS, limit_ms: int = LIMIT_MS, timeout: float = ANSWER_S
    ) -> WitnessRecord:
        """Return everything seen since `arm`, once no probe has come for `quiet_ms`, after `limit_ms` at the latest."""
        self.conversation.tell({"do": "collect", "quiet_ms": quiet_ms, "limit_ms": limit_ms})
        return self._read(read_witnessed, self.conversation.hear(timeout + limit_ms / 1000, "seen"))


class SourceSession(AgentSession):
    """A host's source."""

    role = "source"

    def arm(self, key: bytes, assignment: Assignment, *, timeout: float = ANSWER_S) -> int:
        """Get the assignment's probes ready and return how many they are; forgets an earlier assignment."""
        pool = Pool()
        rows = [
            [
                target.name,
                target.address,
                pool.add(target.tcp),
                pool.add(target.udp),
                {str(port): kind for port, kind in target.requests.items()},
            ]
            for target in assignment.targets
        ]
        addresses = list(assignment.source_addresses)
        request = {"do": "arm", "key": key.hex(), "source": assignment.source, "addresses": addresses, "targets": rows}
        self.conversation.tell(request | {"bits": pool.texts})
        answer = self.conversation.hear(timeout, "armed")
        return self._read(lambda message: int(message["armed"]), answer)

    def fire(
        self,
        which: Mapping[tuple[str, str], int] | None = None,
        *,
        rate: int = RATE,
        on_progress: Callable[[int, int], None] | None = None,
        timeout: float = ANSWER_S,
    ) -> FiredRound:
        """
        Send all planned probes, or those of `which` (ports by address and protocol), at `rate` packets a second.

        `on_progress` is told (sent, of) up to five times a second; `timeout` is the longest silence in between.
        """
        pool = Pool()
        rows = None if which is None else [[*stream, pool.add(bits)] for stream, bits in which.items()]
        self.conversation.tell({"do": "fire", "which": rows, "rate": rate, "bits": pool.texts})
        while "progress" in (message := self.conversation.hear(timeout, "progress", "done")):
            if on_progress is not None:
                on_progress(*self._read(lambda progress: (int(progress["progress"]), int(progress["of"])), message))
        return self._read(read_fired, message)

    def collect(
        self, *, quiet_ms: int = QUIET_MS, limit_ms: int = LIMIT_MS, timeout: float = ANSWER_S
    ) -> tuple[SentStream, ...]:
        """Return what became of every stream since `arm`, once no reply has come for `quiet_ms`, within `limit_ms`."""
        self.conversation.tell({"do": "collect", "quiet_ms": quiet_ms, "limit_ms": limit_ms})
        return self._read(read_sent, self.conversation.hear(timeout + limit_ms / 1000, "sent"))
