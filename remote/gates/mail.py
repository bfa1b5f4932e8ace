"""Does the organisation's mail server take a mail that Synapse sends?"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from apps.message_probe.wire import Answer, Connection, Origin, Unanswered
from model.report.outcome import Status
from model.rollout.synapse.outward import mail_host
from remote.gates.gate import GateContext, GateResult
from remote.gates.public import administration_origin

if TYPE_CHECKING:
    from model.site.settings import Settings

# Synapse itself waits 30 seconds for the mail server's address to answer.
_SECONDS = 60.0
_PATH = "/_matrix/client/v3/account/3pid/email/requestToken"
_NEXT = (
    "Synapse's main process logs what the mail server said; does the secret `smtp` hold its login, do the rows smtp and"
    " pod-smtp of ports.yaml lead there?"
)
# Where the encryption fails, Synapse waits without end.
_NEXT_UNANSWERED = f"{_NEXT} Is its certificate good for its name, and of a public authority or that of `mail.ca`?"


def run(context: GateContext) -> GateResult:
    """
    Have Synapse send the mail by which a person proves that an address is theirs, to the address that the site gives.

    It needs no account, and leaves nothing but a question that ends by itself.
    """
    settings = context.site.settings
    if not settings.features.smtp:
        return GateResult(status=Status.NOT_RUN, why="the site sends no mail: features.smtp is off")
    address = settings.mail.probe
    if address is None:
        return GateResult(
            status=Status.UNPROVEN, why="nobody saw Synapse send a mail: the site gives no address to try it with",
            next_step="write an address that may be written to as `mail.probe` in site.yaml",
        )  # fmt: skip
    context.say(f"Synapse sends a mail to {address} by {where(settings)}")
    try:
        answer = asked(administration_origin(context), address)
    except Unanswered as error:
        return GateResult(
            status=Status.FAILED, why=f"Synapse does not answer whether it sent a mail: {error}",
            next_step=_NEXT_UNANSWERED,
        )  # fmt: skip
    return judged(answer, settings, address)


def where(settings: Settings) -> str:
    """Return the mail server as sentences name it."""
    return f"{mail_host(settings)} port {settings.mail.port}"


def asked(origin: Origin, address: str) -> Answer:
    """Ask for the mail. Raises `Unanswered`."""
    body = {"client_secret": secrets.token_hex(16), "email": address, "send_attempt": 1}
    connection = Connection(origin)
    try:
        return connection.ask("POST", _PATH, json.dumps(body).encode(), {"Content-Type": "application/json"}, _SECONDS)
    finally:
        connection.close()


def judged(answer: Answer, settings: Settings, address: str) -> GateResult:
    """Return what Synapse's answer comes to: it names a session only when the mail server has taken the mail."""
    if answer.status == 200 and answer.document.get("sid"):
        taken = f"{where(settings)} took a mail of Synapse's to {address}; nobody looked into that mailbox"
        return GateResult(status=Status.OK, why=taken, figures={"taken_ms": round(answer.seconds * 1000, 1)})
    code = str(answer.document.get("errcode", ""))
    words = f"HTTP {answer.status} {code} {answer.document.get('error', '')}".rstrip()
    if answer.status == 429:
        return GateResult(
            status=Status.UNPROVEN, why=f"Synapse sends {address} no further mail just now: {words}",
            next_step="try again in some minutes",
        )  # fmt: skip
    if code == "M_THREEPID_IN_USE":
        return GateResult(
            status=Status.UNPROVEN, why=f"{address} belongs to an account, which nobody writes to for a trial",
            next_step="give another address as `mail.probe` in site.yaml",
        )  # fmt: skip
    finding = f"Synapse could not send a mail to {address} by {where(settings)}: {words}"
    return GateResult(status=Status.DRIFT, why=finding, findings=(finding,), next_step=_NEXT)
