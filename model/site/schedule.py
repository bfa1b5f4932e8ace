"""What `site.yaml` may say about compliance that runs by itself: when, as whom, and who is told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from model.base import Declared, Text

MAIL = r"^[^@\s,;<>]+@[^@\s,;<>]+$"
# systemd's calendar events; no line end, so that nothing else can be put into a unit.
CALENDAR = r"^[A-Za-z0-9*:,./~ _-]+$"
USER = r"^[a-z_][a-z0-9_-]{0,30}$"
HOMESERVER = r"^https?://[A-Za-z0-9.\[\]:_-]+(/[A-Za-z0-9._~/-]*)?$"
ROOM = r"^![^\s/?#]+$"
PROGRAM = r"^/[^\x00-\x1f]+$"
Mail = Annotated[str, StringConstraints(pattern=MAIL)]


class Schedule(Declared):
    """
    When compliance runs by itself, and as whom.

    `calendar` is systemd's (`systemd-analyze calendar` explains one), put off by up to `random_delay_minutes`; a run
    that takes longer than `limit_minutes` is ended. With `verify_ports` the ports are proven anew before each. `user`
    is the least privileged account, of the same name on the controller's machine and on hosts.
    """

    calendar: Annotated[str, StringConstraints(pattern=CALENDAR)] = "*-*-* 05:00"
    random_delay_minutes: int = Field(default=15, ge=0, le=1440)
    limit_minutes: int = Field(default=30, ge=1, le=1440)
    verify_ports: bool = True
    user: Annotated[str, StringConstraints(pattern=USER)] = "matrix-fleet"


class TellCommand(Declared):
    """A program of the controller's machine that gets the news as JSON on standard input."""

    kind: Literal["command"]
    command: Annotated[tuple[Text, ...], Field(min_length=1)]
    seconds: int = Field(default=60, ge=1, le=600)

    @property
    def id(self) -> str:
        """By this what it was told last is remembered."""
        return f"command {' '.join(self.command)}"


class TellMail(Declared):
    """Mail through the machine's own mail server, by the interface of `sendmail`."""

    kind: Literal["mail"]
    to: Annotated[tuple[Mail, ...], Field(min_length=1)]
    sender: Mail | None = None
    sendmail: Annotated[str, StringConstraints(pattern=PROGRAM)] = "/usr/sbin/sendmail"

    @property
    def id(self) -> str:
        """By this what it was told last is remembered."""
        return f"mail {', '.join(self.to)}"


class TellMatrix(Declared):
    """
    A message to a room of any homeserver, whose access token lies alone in a file that nobody else may read.

    `token_file` is relative to the site's folder; `authority` is a PEM file where no public authority vouches for the
    homeserver.
    """

    kind: Literal["matrix"]
    homeserver: Annotated[str, StringConstraints(pattern=HOMESERVER)]
    room: Annotated[str, StringConstraints(pattern=ROOM)]
    token_file: Text
    authority: Text | None = None

    @property
    def id(self) -> str:
        """By this what it was told last is remembered."""
        return f"matrix {self.room}"


Tell = Annotated[TellCommand | TellMail | TellMatrix, Field(discriminator="kind")]
