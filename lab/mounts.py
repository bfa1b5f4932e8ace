"""Mounts below a folder: made, found, taken away."""

from __future__ import annotations

from pathlib import Path

from lab.commands import call


def mounted_below(folder: Path) -> tuple[Path, ...]:
    """Return mount points at or below the folder, the innermost first; one entry for each mount."""
    text = Path("/proc/self/mountinfo").read_text("utf-8")
    return tuple(sorted(parse(text, folder), key=lambda path: len(path.parts), reverse=True))


def parse(mountinfo: str, folder: Path) -> tuple[Path, ...]:
    """Read mount points from the kernel's table (proc(5)); it writes a space as \\040."""
    points = (Path(line.split(" ")[4].replace("\\040", " ")) for line in mountinfo.splitlines())
    return tuple(point for point in points if point == folder or folder in point.parents)


def unmount_below(folder: Path) -> None:
    """Unmount everything at and below the folder, also what is still in use (then lazily)."""
    for point in mounted_below(folder):
        call(("umount", "--lazy", str(point)))


def overlay(lower: str, upper: Path, workdir: Path, target: Path) -> None:
    """
    Mount an overlay that never waits for the disk.

    Such an overlay refuses to be mounted again over the same work folder, so that folder must be new.
    """
    options = f"lowerdir={lower},upperdir={upper},workdir={workdir},volatile"
    call(("mount", "-t", "overlay", "overlay", "-o", options, str(target)))
