"""Answers are read from a file, and a site's five files are written as new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from model import document
from model.check import lint
from model.checkout import REFERENCE
from model.errors import SiteError
from model.site.answers import Answers
from model.site.inventory import compose


def read(path: Path) -> object:
    """Return what an answers file holds."""
    try:
        return document.read(path)
    except FileNotFoundError:
        raise SiteError(f"{path} is missing") from None
    except document.DocumentError as error:
        raise SiteError(f"{path.name}: {error.path}: {error.message}; {error.fix}") from error


def texts(answers: Answers) -> Mapping[str, str]:
    """Return the files of the site by name."""
    return compose(answers, *((REFERENCE / name).read_text("utf-8") for name in ("groups.yaml", "ports.yaml")))


def foreseen(answers: Answers) -> list[str]:
    """Return what lint would say of the site, before it is written."""
    with TemporaryDirectory() as folder:
        write(Path(folder), texts(answers))
        _, findings = lint.examine(Path(folder))
    return [f"{finding.severity}: {lint.as_line(finding)}" for finding in findings]


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write each file as a new one, so that two runs at once cannot mix; whoever is cut short leaves nothing behind."""
    written: list[Path] = []
    try:
        missing = [place for place in (folder, *folder.parents) if not place.exists()]
        for place in reversed(missing):
            place.mkdir(exist_ok=True)
            written.append(place)
        for name, text in texts.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                written.append(folder / name)
                file.write(text)
    except BaseException as error:
        _forget(written)
        if isinstance(error, OSError):
            raise SiteError(f"{folder} cannot be written: {error.strerror}") from error
        raise


def _forget(written: Sequence[Path]) -> None:
    for path in reversed(written):
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
