"""Whom the homeserver speaks to outside the site: a mail server, phones' push services, other homeservers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from model.base import Declared, Domain, Network, Text

MAILBOX = r"^[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+$"
Mailbox = Annotated[str, StringConstraints(pattern=MAILBOX)]
AppleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{10}$")]
AppId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class MailServer(Declared):
    """
    The organisation's mail server, where `features.smtp` is on.

    `host` is `smtp.DOMAIN` and `sender` `matrix@DOMAIN` where nothing is said. `tls`: by STARTTLS, from the first byte
    on (`implicit`), or not at all. `ca` is a PEM file relative to the site's folder: its authority, where that is none
    of the public ones. `login`: with the secret `smtp`. `probe` is the address to which the gate `mail` has one mail
    sent.
    """

    host: Domain | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    ca: Text | None = None
    login: bool = True
    sender: Mailbox | None = None
    probe: Mailbox | None = None


class ApplePush(Declared):
    """An app of the organisation's own at Apple: the names under which its key `push-apns` was given out."""

    app: AppId
    key_id: AppleName
    team_id: AppleName
    topic: AppId
    platform: Literal["production", "sandbox"] = "production"


class FirebasePush(Declared):
    """An app of the organisation's own at Google: its project; the key is the secret `push-firebase`."""

    app: AppId
    project: AppId


class PushGateway(Declared):
    """
    A push gateway of the organisation's own (Sygnal), where `features.push_notifications` is on and it has apps.

    Phones with an app that somebody else publishes name that publisher's gateway, and need none here.
    """

    apns: ApplePush | None = None
    firebase: FirebasePush | None = None


class FederationPartners(Declared):
    """
    With whom the homeserver federates, where `federation` is on; with everybody where nothing is said.

    `domains` are the only ones. `networks` are private addresses of other homeservers, which Synapse would refuse.
    `ca` is a PEM file relative to the site's folder: the only authority that counts among them. `probe` is the name of
    a second homeserver, which the gate `federation` has asked.
    """

    domains: tuple[Domain, ...] = ()
    networks: tuple[Network, ...] = ()
    ca: Text | None = None
    probe: Domain | None = None
