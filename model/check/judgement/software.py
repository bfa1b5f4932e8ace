"""Judgements of software: the system is a Debian that is still cared for, and its packages are whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from model.host.shared_facts import OsRelease, Packages
from model.kubernetes.compatibility import DEBIAN


def unsupported(release: OsRelease) -> Iterator[str]:
    """Say that a system is no Debian this program knows."""
    if not release.debian or release.suite not in DEBIAN:
        known = ", ".join(f"{release.number} ({release.suite})" for release in DEBIAN.values())
        yield f"runs {release.name}; known are Debian {known}"


def end_of_life(release: OsRelease, today: date) -> Iterator[str]:
    """Say that a Debian release gets no security updates any more."""
    debian = DEBIAN.get(release.suite)
    if debian is not None and debian.until < today:
        yield f"Debian {debian.number} ({debian.suite}) has had no security updates since {debian.until}"


def half_installed(packages: Packages) -> Iterator[str]:
    """Say which packages' installation was begun and never finished: apt refuses to go on."""
    names = sorted(name for name, package in packages.known.items() if package.broken)
    if names:
        yield f"packages are half installed: {', '.join(names)}"


def interrupted(journal: Sequence[str]) -> Iterator[str]:
    """Say that dpkg was cut short: apt refuses to work until it has taken back or finished what it began."""
    if journal:
        steps = ", ".join(journal[:3])
        yield f"dpkg was interrupted: {len(journal)} of its steps wait in /var/lib/dpkg/updates ({steps})"


def held(packages: Packages) -> tuple[str, ...]:
    """Return the names of packages that somebody forbade to change."""
    return tuple(sorted(name for name, package in packages.known.items() if package.held))
