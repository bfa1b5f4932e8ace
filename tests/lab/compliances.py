"""`flows.compliance` on a lab's hosts, and deviations to be seeded there, each with the checks that must find it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import yaml

from tests.lab import firewalls
from tests.lab.driver import Lab, booted
from tests.lab.firewalls import until

PROGRAM = (sys.executable, "-m", "flows.compliance")
BAD = ("drift", "failed", "unproven", "missing")
MAIN = ("cp-1", "cp-2", "cp-3", "w-1", "db-1")
SERVERS = (*MAIN, "li-1")
_SETTLE_SECONDS = 150


@dataclass(frozen=True)
class ComplianceRun:
    """One run: its exit code and its report."""

    exit: int
    report: dict[str, Any]
    complaint: str = field(repr=False)

    @property
    def bad(self) -> set[tuple[str, str]]:
        """Host and check of everything that is not good."""
        return {
            (outcome["host"], outcome["subject"]) for outcome in self.report["outcomes"] if outcome["status"] in BAD
        }

    def outcome(self, host: str, subject: str) -> dict[str, Any]:
        """Return one outcome."""
        (only,) = [
            outcome for outcome in self.report["outcomes"] if (outcome["host"], outcome["subject"]) == (host, subject)
        ]
        return dict(only)


def comply(lab: Lab, *flags: str) -> ComplianceRun:
    """Run the flow as the controller."""
    done = lab.run((*PROGRAM, "--json", "-", *flags))
    return ComplianceRun(done.returncode, json.loads(done.stdout) if done.stdout.startswith("{") else {}, done.stderr)


@contextmanager
def running(name: str) -> Iterator[Lab]:
    """Boot a small lab with its firewall applied and its ports proven, for as long as the block runs."""
    with booted(name, "--profile", "small") as lab:
        firewalls.apply(lab)
        proven = lab.run((sys.executable, "-m", "flows.verify_ports", "--quiet"))
        assert proven.returncode == 0, proven.stderr
        yield lab


@dataclass(frozen=True)
class Seed:
    """
    A deviation of one host: how it is made and mended (shell), which checks of that host must find it, and a word of
    what they say.

    `elsewhere`: pairs of host and check where it is seen instead; `consequence`: checks that may fire too, as they name
    the cause. `at`: where its commands are given, if not on that host. `begun`, `settled`: what must hold there before
    it is looked at, and before it is mended for sure. `lingers`: a cluster tells for a while of what it went through.
    """

    host: str
    make: str
    mend: str
    checks: tuple[str, ...] = ()
    says: str = ""
    elsewhere: tuple[tuple[str, str], ...] = ()
    consequence: tuple[str, ...] = ()
    settled: str = ""
    begun: str = ""
    at: str = ""
    lingers: bool = False

    @property
    def place(self) -> str:
        """Where its commands are given."""
        return self.at or self.host

    @property
    def expected(self) -> set[tuple[str, str]]:
        """Host and check of everything that must be found."""
        return {(self.host, check) for check in self.checks} | set(self.elsewhere)


def found_and_mended(lab: Lab, *seeds: Seed) -> None:
    """Make the deviations, see them found by exactly their checks, mend them, and see everything good again."""
    with ExitStack() as made:
        for seed in seeds:
            made.callback(_mend, lab, seed)
            seeded = lab.shell(seed.place, ("sh", "-ec", seed.make))
            assert seeded.returncode == 0, seeded.stderr
        for seed in seeds:
            if seed.begun:
                _settled(lab, seed.place, seed.begun)
        run = comply(lab)
        messages = {pair: run.outcome(*pair)["message"] for pair in run.bad}
        allowed = {(seed.host, check) for seed in seeds for check in seed.consequence}
        assert run.bad - allowed == {pair for seed in seeds for pair in seed.expected}, messages
        assert run.exit == 2, run.complaint
        for seed in seeds:
            assert any(seed.says in messages[pair] for pair in seed.expected), (seed.says, messages)
    after = comply(lab)
    end = monotonic() + (_SETTLE_SECONDS if any(seed.lingers for seed in seeds) else 0)
    while after.exit != 0 and monotonic() < end:
        after = comply(lab)
    assert (after.exit, after.bad) == (0, set()), {pair: after.outcome(*pair)["message"] for pair in after.bad}
    assert after.report["since"]["gone"]


def site_with(
    lab: Lab, folder: Path, change: Callable[[dict[str, Any]], None], files: Mapping[str, str] | None = None
) -> Path:
    """Copy the lab's site with its reports, and change site.yaml."""
    shutil.copytree(lab.inventory, folder, symlinks=True, ignore=shutil.ignore_patterns("state"))
    path = folder / "site.yaml"
    settings = yaml.safe_load(path.read_text("utf-8"))
    change(settings)
    path.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    for name, text in (files or {}).items():
        (folder / name).write_text(text, "utf-8")
    return folder


def _mend(lab: Lab, seed: Seed) -> None:
    mended = lab.shell(seed.place, ("sh", "-ec", seed.mend))
    if seed.settled:
        _settled(lab, seed.place, seed.settled)
    assert mended.returncode == 0, mended.stderr


def _settled(lab: Lab, host: str, holds: str) -> None:
    until(lambda: lab.shell(host, ("sh", "-c", holds)).returncode == 0, _SETTLE_SECONDS)
