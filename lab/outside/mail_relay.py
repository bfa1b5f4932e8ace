"""
A mail relay: takes mail of whoever has logged in over TLS, and keeps each as a file.

It runs on the vantage host, with the Twisted that Synapse brings; its arguments are its folder and, if it is another
than that of submission, its port. Files in the folder called `refuse-recipients` and `refuse-messages` make it refuse
every recipient, or every mail once it has read it.
"""

from __future__ import annotations

import itertools
import os
import socket
import sys
from pathlib import Path
from typing import Any

from twisted.cred import checkers, portal
from twisted.internet import defer, reactor, ssl
from twisted.mail import imap4, smtp
from zope.interface import implementer

PORT = 587
CERTIFICATE, LOGIN, MAILBOX = "certificate.pem", "login", "mailbox"
REFUSE_RECIPIENTS, REFUSE_MESSAGES = "refuse-recipients", "refuse-messages"
# A mail is kept in memory until all of it has come.
MOST_BYTES = 1 << 22


@implementer(smtp.IMessage)
class Mail:
    """One mail on its way in; the lines before its own say between whom it went."""

    def __init__(self, folder: Path, sender: str, recipient: str) -> None:
        self.folder, self.size = folder, 0
        self.lines = [f"Return-Path: <{sender}>".encode(), f"Delivered-To: {recipient}".encode()]

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - of Twisted
        self.size += len(line) + 1
        if self.size <= MOST_BYTES:
            self.lines.append(line)

    def eomReceived(self) -> Any:  # noqa: N802 - of Twisted
        if self.size > MOST_BYTES or (self.folder / REFUSE_MESSAGES).exists():
            return defer.fail(OSError("it is too long, or nothing is taken just now"))
        numbers = itertools.count(sum(1 for _ in (self.folder / MAILBOX).glob("*.eml")) + 1)
        path = next(path for number in numbers if not (path := self.folder / MAILBOX / f"{number:05}.eml").exists())
        draft = path.with_suffix(".new")
        draft.write_bytes(b"\n".join(self.lines) + b"\n")
        draft.replace(path)
        return defer.succeed(None)

    def connectionLost(self) -> None:  # noqa: N802 - of Twisted
        self.lines.clear()


@implementer(smtp.IMessageDelivery)
class Delivery:
    """What somebody who has logged in may do."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sender = folder, ""

    def validateFrom(self, _helo: object, origin: Any) -> Any:  # noqa: N802 - of Twisted
        self.sender = str(origin)
        return origin

    def validateTo(self, user: Any) -> Any:  # noqa: N802 - of Twisted
        if (self.folder / REFUSE_RECIPIENTS).exists():
            raise smtp.SMTPBadRcpt(user)
        return lambda: Mail(self.folder, self.sender, str(user.dest))

    def receivedHeader(self, helo: tuple[bytes, bytes], _origin: object, _to: object) -> bytes:  # noqa: N802
        return f"Received: from {helo[0].decode(errors='replace')}; {smtp.rfc822date().decode()}".encode()


@implementer(portal.IRealm)
class Realm:
    """Whoever logged in may send."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def requestAvatar(self, _name: object, _mind: object, *_interfaces: object) -> Any:  # noqa: N802 - of Twisted
        return smtp.IMessageDelivery, Delivery(self.folder), lambda: None


class MailConversation(smtp.ESMTP):  # type: ignore[misc]
    """One connection. No login is asked for before the connection is encrypted, and none is taken."""

    def extensions(self) -> dict[bytes, list[bytes] | None]:
        offered: dict[bytes, list[bytes] | None] = super().extensions()
        return offered if self.startedTLS else {name: value for name, value in offered.items() if name != b"AUTH"}

    def ext_AUTH(self, rest: bytes) -> None:  # noqa: N802 - of Twisted
        if self.startedTLS:
            super().ext_AUTH(rest)
        else:
            self.sendCode(530, b"Must issue a STARTTLS command first")


class Relay(smtp.SMTPFactory):  # type: ignore[misc]
    """The relay of a folder: `certificate.pem` with its key, `login` with a name and a password, a line each."""

    def __init__(self, folder: Path) -> None:
        name, password = (folder / LOGIN).read_bytes().split(b"\n")[:2]
        known = checkers.InMemoryUsernamePasswordDatabaseDontUse(**{name.decode(): password})
        super().__init__(portal.Portal(Realm(folder), [known]))
        self.tls = ssl.PrivateCertificate.loadPEM((folder / CERTIFICATE).read_bytes()).options()

    def buildProtocol(self, _address: object) -> MailConversation:  # noqa: N802 - of Twisted
        conversation = MailConversation({b"PLAIN": imap4.PLAINCredentials, b"LOGIN": imap4.LOGINCredentials}, self.tls)
        conversation.portal = self.portal
        conversation.host = b"relay"
        return conversation


def ready() -> None:
    """Tell systemd that connections are taken."""
    if where := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.sendto(b"READY=1", where)


def main(folder: Path, port: int = PORT) -> None:
    """Take mail over both families until the process is ended."""
    (folder / MAILBOX).mkdir(exist_ok=True)
    relay = Relay(folder)
    reactor.listenTCP(port, relay, interface="::")
    reactor.callWhenRunning(ready)
    reactor.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
