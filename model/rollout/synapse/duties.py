"""What `duties.yaml` says: the pools of Synapse's processes, and the duties they share out."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from model import document
from model.base import Declared, Name, Text
from model.site.sizing import STEPS

FILE = Path(__file__).with_name("duties.yaml")
SIZES = ("small", *STEPS)
Counts = Annotated[tuple[Annotated[int, Field(ge=0, le=64)], ...], Field(min_length=len(SIZES), max_length=len(SIZES))]
Stream = Literal[
    "events",
    "typing",
    "to_device",
    "account_data",
    "presence",
    "push_rules",
    "receipts",
    "device_lists",
    "thread_subscriptions",
    "quarantined_media_changes",
]
# What names the processes of a duty in Synapse's configuration, where it is no stream.
Setting = Literal[
    "federation_sender_instances",
    "pusher_instances",
    "update_user_directory_from_worker",
    "run_background_tasks_on",
    "media_instance_running_background_jobs",
]
Spread = Literal["user", "room", "path", "source", "any"]


class ProcessPool(Declared):
    """
    Equal processes.

    `spread`: by what requests stay with one of them. `scales`: their number may change by load, since nobody else knows
    it. `when` are words of the site's features; `cache_gib` is each one's room for files on their way.
    """

    name: Name
    instances: Counts
    why: Text
    when: tuple[Name | Literal["push_notifications"], ...] = ()
    spread: Spread = "any"
    scales: bool = False
    media: bool = False
    cache_gib: Counts = (0,) * len(SIZES)

    @property
    def kind(self) -> str:
        """The kind of its processes, by the words of a dump of routes; main is a kind by itself."""
        return "media" if self.media else "worker"


class Duty(Declared):
    """
    Something Synapse does.

    `stream` or `setting` names its processes in the configuration, which all processes share: with another number of
    them every process starts anew. `gone_first`: all of them must be gone before, since two that count differently lose
    what each takes for the other's. `writers`: whether many may share it. Its requests are those of `servlets`, of
    everything only a process of kind `everything_of` serves, and what lies under `trees`.
    """

    name: Name
    pools: tuple[Name, ...] = Field(min_length=1)
    stream: Stream | None = None
    setting: Setting | None = None
    writers: Literal["one", "sharded"] = "one"
    gone_first: bool = False
    servlets: tuple[Text, ...] = ()
    trees: tuple[Text, ...] = ()
    everything_of: Literal["media"] | None = None


class DutiesFile(Declared):
    """`duties.yaml`."""

    pools: tuple[ProcessPool, ...]
    duties: tuple[Duty, ...]


@cache
def duties() -> DutiesFile:
    """Return what `duties.yaml` says."""
    return DutiesFile.model_validate(document.read(FILE), strict=False)
