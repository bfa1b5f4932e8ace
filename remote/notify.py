"""The ways to tell somebody: a command, the machine's mail server, a room of a Matrix homeserver."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

from model.errors import NotToldError
from model.site.schedule import Tell, TellCommand, TellMail, TellMatrix
from remote.command import first_lines
from remote.private_file import read_private
from remote.sudo import ENVIRONMENT

_MAIL_SECONDS = 60.0
_MATRIX_SECONDS = 20.0
# An event may have 65,536 bytes, and JSON writes some signs with six.
_MATRIX_LETTERS = 8000


@dataclass(frozen=True, slots=True)
class Message:
    """
    What is told: one line, the whole text, the same as data for programs.

    `once` is the same where the same news are told again because nobody could be told before: a homeserver takes them
    once.
    """

    subject: str
    text: str
    data: Mapping[str, object]
    once: str


def tell(notifier: Tell, message: Message, folder: Path) -> None:
    """
    Tell a message one way; paths in the settings are relative to `folder`, the site's.

    Raises `NotToldError`, whose text has no secret.
    """
    if isinstance(notifier, TellCommand):
        _command(notifier, message)
    elif isinstance(notifier, TellMail):
        _mail(notifier, message)
    else:
        _matrix(notifier, message, folder)


def _command(notifier: TellCommand, message: Message) -> None:
    _run(notifier.command, json.dumps(message.data, indent=1) + "\n", notifier.seconds)


def _mail(notifier: TellMail, message: Message) -> None:
    mail = EmailMessage()
    mail["Subject"], mail["To"] = message.subject, ", ".join(notifier.to)
    if notifier.sender:
        mail["From"] = notifier.sender
    # Holiday notes are not sent to what nobody wrote.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    sender = ("-f", notifier.sender) if notifier.sender else ()
    _run((notifier.sendmail, "-i", *sender, "--", *notifier.to), mail.as_string(), _MAIL_SECONDS)


def _run(argv: tuple[str, ...], stdin: str, seconds: float) -> None:
    environment = {name: value for name, value in os.environ.items() if name != ENVIRONMENT}
    try:
        done = subprocess.run(
            argv, input=stdin.encode(), capture_output=True, timeout=seconds, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotToldError(f"`{argv[0]}` did not end within {seconds:g} s") from None
    except OSError as error:
        raise NotToldError(f"`{argv[0]}` cannot be started: {error.strerror}") from None
    if done.returncode:
        raise NotToldError(f"`{argv[0]}` ended with exit code {done.returncode}: {first_lines(done.stderr)}")


def _matrix(notifier: TellMatrix, message: Message, folder: Path) -> None:
    import urllib3

    token = read_token(folder / notifier.token_file)
    path = f"/_matrix/client/v3/rooms/{quote(notifier.room, safe='')}/send/m.room.message/{message.once}"
    body = {"msgtype": "m.text", "body": _short(message.text)}
    authority = str(folder / notifier.authority) if notifier.authority else None
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    timeout = urllib3.Timeout(total=_MATRIX_SECONDS)
    try:
        with urllib3.PoolManager(retries=False, timeout=timeout, ca_certs=authority) as pool:
            # A homeserver that leads elsewhere would lead the token there, too.
            answer = pool.request(
                "PUT", notifier.homeserver.rstrip("/") + path, body=json.dumps(body), headers=headers, redirect=False
            )
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise NotToldError(f"{notifier.homeserver} gives no answer: {type(error).__name__}: {error}") from None
    if answer.status != 200:
        raise NotToldError(f"{notifier.homeserver} answered {answer.status}: {_complaint(answer.data)}")


def _short(text: str) -> str:
    """Cut what no event may have, at the end of a line."""
    if len(text) <= _MATRIX_LETTERS:
        return text
    kept = text[:_MATRIX_LETTERS].rpartition("\n")[0]
    return f"{kept}\n... and {len(text.splitlines()) - len(kept.splitlines())} more lines: see the report"


def _complaint(answer: bytes) -> str:
    try:
        document = json.loads(answer)
        return f"{document['errcode']}: {str(document.get('error', ''))[:200]}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return answer[:80].decode("utf-8", "replace")


def read_token(path: Path) -> str:
    """
    Read an access token from a file that its owner alone may read.

    Raises `NotToldError` where others may, where it is not there, and where it holds no token.
    """
    return read_private(path, "access token", NotToldError)
