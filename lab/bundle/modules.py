"""A component's Go module as it is compiled: as it was published, or a copy with its faults corrected."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.bundle.ingredients import Correction, GoComponent
from lab.commands import call
from lab.errors import LabError

KEPT = "kept"
_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Go:
    """The toolchain's program, and the environment it runs in."""

    program: Path
    environment: Mapping[str, str]

    def __call__(self, folder: Path, *words: str) -> str:
        """Run it in a folder and return what it prints."""
        return call((str(self.program), "-C", str(folder), *words), seconds=_SECONDS, extra=self.environment)


@contextmanager
def opened(component: GoComponent, folder: Path, draft: Path, go: Go) -> Iterator[Path]:
    """
    Yield the folder to compile in, below `draft` where the module has faults; the files it keeps are put into `draft`.
    """
    if not component.corrections and not component.kept:
        yield folder
        return
    found = source(component, folder, go)
    keep(found, component.kept, draft / KEPT)
    if not component.corrections:
        yield folder
        return
    place = draft / "module"
    shutil.copytree(folder, place)
    shutil.copytree(found, place / "source", copy_function=shutil.copyfile)
    for above in (place / "source").rglob("*"):
        above.chmod(0o755 if above.is_dir() else 0o644)
    correct(place / "source", component.corrections)
    with (place / "go.mod").open("a", encoding="utf-8") as text:
        text.write(f"\nreplace {component.module} => ./source\n")
    yield place
    shutil.rmtree(place)


def correct(source: Path, corrections: Sequence[Correction]) -> None:
    """Correct the files; raises LabError where a fault does not stand exactly once: the module is another one."""
    for correction in corrections:
        file = source / correction.file
        text = file.read_text("utf-8")
        if (count := text.count(correction.faulty)) != 1:
            raise LabError(
                f"{correction.file} has {correction.faulty!r} {count} times, not once: see lab/bundle/corrections.py"
            )
        file.write_text(text.replace(correction.faulty, correction.correct), "utf-8")


def keep(source: Path, patterns: Sequence[str], target: Path) -> None:
    """Copy files of the module under their own paths; raises LabError when a pattern meets none."""
    for pattern in patterns:
        files = sorted(source.glob(pattern))
        if not files:
            raise LabError(f"{source} has no {pattern}")
        for file in files:
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)


def source(component: GoComponent, folder: Path, go: Go) -> Path:
    """Return where the component's module lies unpacked, bringing it first; raises LabError where it cannot be had."""
    go(folder, "mod", "download", component.module)
    found = go(folder, "list", "-m", "-f", "{{.Dir}}", component.module).strip()
    if not found:
        raise LabError(f"the source of {component.module} is not on this machine although it was downloaded")
    return Path(found)
