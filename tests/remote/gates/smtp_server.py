"""A small mail server: it takes mail, or refuses it as a test wants."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Sink:
    """`taken` are the mails, sender and recipient first; `refusal` is what is said to every recipient."""

    port: int = 0
    refusal: str = ""
    taken: list[tuple[str, str, str]] = field(default_factory=list)


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        sink: Sink = self.server.sink  # type: ignore[attr-defined]
        sender = recipient = ""
        self._say("220 sink.test")
        while line := self.rfile.readline().decode().strip():
            word, _, rest = line.partition(":")
            match word.upper().split()[0]:
                case "MAIL":
                    sender = rest.strip("<> ")
                    self._say("250 well")
                case "RCPT":
                    recipient = rest.strip("<> ")
                    self._say(sink.refusal or "250 well")
                case "DATA":
                    self._say("354 go on")
                    sink.taken.append((sender, recipient, self._body()))
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 well")

    def _body(self) -> str:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.decode())
        return "".join(lines)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def sinking() -> Iterator[Sink]:
    """Run a mail server on loopback until the block ends."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        server.sink = sink = Sink(server.server_address[1])  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield sink
        finally:
            server.shutdown()
