"""Where a run's reports lie, and how they get there whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from model.errors import SiteError, did_you_mean

Document = Mapping[str, Any]
_LEFT_SECONDS = 30 * 24 * 3600.0
# Beside a report of the ports: what compliance reads of it.
PROOF = "proof.json"


def write_run(
    directory: Path, flow: str, started: datetime, files: Callable[[str], Mapping[str, str]]
) -> tuple[str, Path]:
    """
    Write a run's files into a new folder under `directory`/reports and point `latest-<flow>` to it; return run and
    folder.

    `files` is given the run's name and returns texts by file name.
    """
    place = claim(directory, flow, started)
    return place.run, place.publish(files)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of a run that is still at work: `draft`, which gets the name `run` when all its files are written."""

    run: str
    flow: str
    draft: Path

    def publish(self, files: Callable[[str], Mapping[str, str]], *, refused: bool = False) -> Path:
        """
        Write the files, give the folder its name, point `latest-<flow>` to it, and return it; one that was `refused`
        takes no other run's place.

        Where that fails the draft stays with what the run left in it, such as its log, and without half of a report.
        """
        folder = self.draft.with_name(self.run)
        begun: list[Path] = []
        try:
            for name, text in files(self.run).items():
                begun.append(self.draft / name)
                begun[-1].write_text(text, "utf-8", errors="backslashreplace")
            self.draft.rename(folder)
        except BaseException:
            with suppress(OSError):
                for file in begun:
                    file.unlink(missing_ok=True)
                # Only an empty one goes.
                self.draft.rmdir()
            raise
        latest = folder.with_name(f"latest-{self.flow}")
        if not (refused and latest.exists()):
            _point(latest, self.run)
        return folder


def claim(directory: Path, flow: str, started: datetime) -> RunFolder:
    """
    Make the folder of a run that begins now, `<UTC time>-<flow>` (with a number when two runs share a second).

    What runs that were killed left behind goes after a month.
    """
    reports = directory / "reports"
    reports.mkdir(exist_ok=True)
    for pattern in (f".*-{flow}.draft", f".*-{flow}-*.draft"):
        for left in reports.glob(pattern):
            with suppress(FileNotFoundError):
                if started.timestamp() - left.stat().st_mtime > _LEFT_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
    run, draft = _claim(reports, run_name(flow, started))
    return RunFolder(run, flow, draft)


def run_name(flow: str, started: datetime) -> str:
    """Return the name a run has if no other one of its flow began in the same second."""
    return f"{started:%Y%m%dT%H%M%SZ}-{flow}"


def _claim(reports: Path, name: str) -> tuple[str, Path]:
    """Make the draft folder of a run name nobody has; making a folder is what only one of two runs can do."""
    for number in count(1):
        run = name if number == 1 else f"{name}-{number}"
        draft = reports / f".{run}.draft"
        try:
            draft.mkdir()
        except FileExistsError:
            continue
        if not (reports / run).exists():
            return run, draft
        draft.rmdir()
    raise AssertionError("count() never ends")


def _point(link: Path, run: str) -> None:
    draft = link.with_name(f".{run}.link")
    draft.unlink(missing_ok=True)
    draft.symlink_to(run)
    draft.replace(link)


def runs(directory: Path, flow: str) -> list[Path]:
    """Return the folders of a flow's runs that left a report, oldest first."""
    places = [place for place in (directory / "reports").glob("[0-9]*") if _is_run(place, flow)]
    return sorted(places, key=lambda place: (place.name.split("-")[0], len(place.name), place.name))


def _is_run(place: Path, flow: str) -> bool:
    words = place.name.split("-")
    return place.is_dir() and words[1:2] == [flow] and (place / "report.json").is_file()


def canonical(report: Document) -> str:
    """
    Return the report as JSON text: keys in the order of the schema, one line for each outcome and cell, ASCII only.
    """
    parts = []
    for key, value in report.items():
        if isinstance(value, (list, tuple)) and value:
            items = ",\n  ".join(_line(item) for item in value)
            parts.append(f"{_line(key)}: [\n  {items}\n ]")
        else:
            parts.append(f"{_line(key)}: {_line(value)}")
    return "{\n " + ",\n ".join(parts) + "\n}\n"


_encode = json.JSONEncoder(default=str, separators=(", ", ": ")).encode


def _line(value: object) -> str:
    return _encode(value)


def find_report(directory: Path, name: str) -> Path:
    """
    Return the file of a report named by its path, its run's name or folder, or `latest-<flow>`. Raises `SiteError`.
    """
    places = (Path(name), directory / "reports" / name)
    for place in places:
        for file in (place / "report.json", place):
            if file.is_file():
                return file.resolve()
    known = [place.name for place in (directory / "reports").glob("*") if not place.name.startswith(".")]
    # A run's name ends in its flow: those of the newest come first where several are as near.
    near = did_you_mean(name, sorted(known, reverse=True))
    raise SiteError(f"no report {name}{near}; there are {_available(directory)}")


def read_report(path: Path) -> Document:
    """Read a report. Raises `SiteError` when it is none of this program's."""
    try:
        report = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SiteError(f"{path} is no report: {error}") from error
    if not isinstance(report, dict) or not str(report.get("schema", "")).startswith("matrix-fleet/report/"):
        raise SiteError(f"{path} is JSON, but no report of matrix-fleet")
    return report


def _available(directory: Path) -> str:
    links = sorted(place.name for place in (directory / "reports").glob("latest-*"))
    return ", ".join(links) or f"none yet in {directory / 'reports'}"


def check_writable(target: str | None) -> None:
    """Refuse a path for `--json` that could not be written at the end. Raises `SiteError`."""
    if target in (None, "-"):
        return
    path = Path(str(target))
    if path.is_dir() or not path.parent.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise SiteError(f"--json {target}: cannot be written there; name a file in a folder that exists")


def write_json(target: str, text: str) -> None:
    """Write the text to a file: whole or not at all where it is an ordinary one, straight into a device or pipe."""
    path = Path(target)
    if path.exists() and not path.is_file():
        path.write_text(text, "utf-8")
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.write_text(text, "utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def hand_over(target: str | None, text: str, to_stdout: Callable[[str], None]) -> None:
    """Put the text where `--json` wants it, if anywhere."""
    if target == "-":
        to_stdout(text)
    elif target:
        write_json(target, text)
