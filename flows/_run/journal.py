"""What runs on this site have begun and ended, so that the next one can say where it goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from model.errors import SiteError

NAME = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: at `time` (UTC, ISO 8601) a flow's phase was `begun` or `ended`, or changed a `host` to a status."""

    time: str
    flow: str
    phase: str
    event: str
    host: str = ""


class Journal:
    """`state/journal.jsonl` of a site: appended to, never rewritten; each line is on disk before what it announces."""

    def __init__(self, directory: Path, flow: str, *, dry_run: bool) -> None:
        self._path = directory / "state" / NAME
        self._flow = flow
        self._dry_run = dry_run

    def write(self, phase: str, event: str, hosts: Iterable[str] = ("",)) -> None:
        """Append one line a host; a dry run writes none."""
        if self._dry_run:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = "".join(f"{json.dumps(asdict(Entry(now, self._flow, phase, event, host)))}\n" for host in hosts)
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        with self._path.open("a+b") as file:
            _drop_half_a_line(file)
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())

    def entries(self) -> tuple[Entry, ...]:
        """
        Return all lines; the last one may have been cut short by a crash and is then left out.

        Raises `SiteError` for a line in the middle that cannot be read.
        """
        if not self._path.is_file():
            return ()
        lines = self._path.read_text("utf-8", errors="replace").splitlines()
        entries = []
        for number, line in enumerate(lines, 1):
            try:
                entries.append(Entry(**json.loads(line)))
            except (ValueError, TypeError) as error:
                if number == len(lines):
                    break
                raise SiteError(f"{self._path}: line {number} cannot be read: {error}; remove that line") from None
        return tuple(entries)

    def cut_short(self) -> str:
        """Return the phase that this flow's last run began and never ended; empty when there is none."""
        open_phase = ""
        for entry in self.entries():
            if entry.flow == self._flow and not entry.host:
                open_phase = entry.phase if entry.event == "begun" else ""
        return open_phase

    def hosts(self, phase: str, event: str) -> frozenset[str]:
        """Return the hosts of which an event was written."""
        return frozenset(
            entry.host for entry in self.entries() if entry.host and (entry.phase, entry.event) == (phase, event)
        )

    def unfinished(self, phase: str) -> tuple[str, ...]:
        """
        Return the hosts that this flow's last run of a phase ended with, if that run was cut short; nobody otherwise.
        """
        hosts: list[str] = []
        for entry in self.entries():
            if (entry.flow, entry.phase) != (self._flow, phase):
                continue
            if not entry.host:
                hosts = []
            elif entry.event == "ended":
                hosts.append(entry.host)
        return tuple(hosts)


def _drop_half_a_line(file: BinaryIO) -> None:
    """Take away what a crash left of a line, so that the next one does not become part of it."""
    file.seek(0)
    whole = file.read().rfind(b"\n") + 1
    file.truncate(whole)
