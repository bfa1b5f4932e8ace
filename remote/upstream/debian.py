"""The Debian packages that a server needs, by signed lists, as apt itself resolves them in a root of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.request import getproxies_environment

from model.bundle.sources import AptArchive
from model.errors import BundleError, SourceUnreachable
from remote.upstream.client import Client

SECONDS = 900
# Of `apt-get --print-uris`: address, name of the file, bytes, sha256.
_LINE = re.compile(r"^'(?P<address>[^']+)' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})$")
_AWAY = re.compile(
    r"Could not (connect|resolve)|Temporary failure|Connection (failed|refused|reset|timed out)|no longer has|timed out"
)
_SIGNED = (
    "every list must be signed by a key of the keyring that the sources name, and be of today; is this machine's "
    "clock right?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianPackage:
    """A package as the signed lists have it; `paragraph` is its description for apt."""

    name: str
    version: str
    file: str
    address: str
    size: int
    sha256: str
    paragraph: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Apt:
    """
    apt for one suite and architecture; it keeps its lists in `folder` and reads nothing of this machine's own settings.

    The proxy is that of the environment.
    """

    client: Client
    folder: Path
    suite: str
    architecture: str
    archives: tuple[AptArchive, ...]
    keyring: Path

    def packages(self, wanted: Sequence[str]) -> tuple[DebianPackage, ...]:
        """
        Return the packages and all that they depend on, without anything taken for present.

        Raises BundleError: unsigned, signed by somebody else, expired, an unknown package; SourceUnreachable.
        """
        self._prepare()
        for archive in self.archives:
            # Before apt: it tells neither who is away nor who is refused in a form to rely on.
            self.client.text(f"{archive.address.rstrip('/')}/dists/{archive.suite}/InRelease")
        self._run("apt-get", "update")
        chosen = [
            known
            for line in self._run("apt-get", "install", "--print-uris", *wanted).splitlines()
            if (known := _LINE.match(line.strip()))
        ]
        paragraphs = self._paragraphs([known["file"] for known in chosen], wanted)
        return tuple(
            DebianPackage(
                name=name,
                version=version,
                file=known["file"],
                address=known["address"],
                size=int(known["size"]),
                sha256=known["sha256"],
                paragraph=paragraph,
            )
            for known in sorted(chosen, key=lambda known: known["file"])
            for name, version, paragraph in (paragraphs[known["file"]],)
        )

    def _paragraphs(self, files: Sequence[str], wanted: Sequence[str]) -> Mapping[str, tuple[str, str, str]]:
        """Return name, version and paragraph by the file's name, which apt makes from them."""
        words = []
        for file in files:
            name, version, _ = file.split("_", 2)
            words.append(f"{name}={version.replace('%3a', ':').replace('%5f', '_')}")
        if not words:
            raise BundleError(
                f"{self.suite}: apt chose no package for {', '.join(wanted)}", "correct `packages` in the sources"
            )
        text = self._run("apt-cache", "show", *words)
        paragraphs: dict[str, tuple[str, str, str]] = {}
        for block in text.strip().split("\n\n"):
            fields = dict(
                line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(" ")
            )
            name, version = fields["Package"], fields["Version"]
            file = f"{name}_{version.replace(':', '%3a')}_{fields['Architecture']}.deb"
            lines = [f"Filename: ./{file}" if line.startswith("Filename: ") else line for line in block.splitlines()]
            paragraphs.setdefault(file, (name, version, "\n".join(lines) + "\n"))
        if missing := sorted(set(files) - set(paragraphs)):
            raise BundleError(f"{self.suite}: apt does not describe {', '.join(missing)}", "report this as a bug")
        return paragraphs

    def _prepare(self) -> None:
        if not self.keyring.is_file():
            raise BundleError(
                f"{self.keyring} is missing: nothing says whose signatures of {self.suite} count",
                "install debian-archive-keyring, or name another `keyring` in the sources",
            )
        if not self.keyring.read_bytes():
            raise BundleError(f"{self.keyring} is empty", "name another `keyring` in the sources")
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in (
            "lists/partial",
            "archives/partial",
            "etc/apt.conf.d",
            "etc/preferences.d",
            "etc/trusted.gpg.d",
            "log",
        ):
            (self.folder / name).mkdir(parents=True)
        shutil.copy(self.keyring, self.folder / f"keyring{self.keyring.suffix}")
        (self.folder / "status").touch()
        (self.folder / "sources.list").write_text("".join(map(self._source, self.archives)), "utf-8")
        (self.folder / "apt.conf").write_text(
            "".join(f'{key} "{value}";\n' for key, value in self._settings()), "utf-8"
        )

    def _source(self, archive: AptArchive) -> str:
        keyring = self.folder / f"keyring{self.keyring.suffix}"
        return f"deb [signed-by={keyring}] {archive.address} {archive.suite} {' '.join(archive.components)}\n"

    def _settings(self) -> tuple[tuple[str, str], ...]:
        root = str(self.folder)
        return (
            ("Dir", root),
            ("Dir::State", root),
            ("Dir::State::status", f"{root}/status"),
            ("Dir::Cache", root),
            ("Dir::Etc", f"{root}/etc"),
            ("Dir::Etc::SourceList", f"{root}/sources.list"),
            ("Dir::Log", f"{root}/log"),
            ("APT::Architecture", self.architecture),
            ("APT::Architectures", self.architecture),
            ("APT::Install-Recommends", "false"),
            # Its lists lie in a folder of whoever runs this.
            ("APT::Sandbox::User", ""),
            ("APT::Update::Error-Mode", "any"),
            ("Acquire::Check-Valid-Until", "true"),
            ("Acquire::ForceHash", "SHA256"),
            ("Acquire::Languages", "none"),
            ("Acquire::Retries", "3"),
            ("Acquire::http::Timeout", "60"),
            ("Acquire::https::Timeout", "60"),
        )

    def _run(self, *argv: str) -> str:
        # apt reads these in lower case only.
        proxies = {f"{name}_proxy": value for name, value in getproxies_environment().items()}
        settings = {"APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C.UTF-8"}
        environment = {**os.environ, **proxies, **settings}
        try:
            done = subprocess.run(
                (*argv[:1], "-q", *argv[1:]),
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                text=True,
                errors="replace",
                check=False,
            )
        except FileNotFoundError as error:
            raise BundleError(
                f"{argv[0]} is missing on this machine", "run this on Debian, or on a system with apt"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise SourceUnreachable(
                f"{self.suite}: {' '.join(argv[:2])} did not end within {SECONDS} s", "run again"
            ) from error
        if done.returncode:
            raise self._failure(argv, done.stderr)
        return done.stdout

    def _failure(self, argv: tuple[str, ...], stderr: str) -> BundleError | SourceUnreachable:
        lines = stderr.splitlines()
        complaints = [line for line in lines if line.startswith(("E: ", "W: "))] or lines[-3:]
        message = f"{self.suite}: {' '.join(argv[:2])}: " + "; ".join(dict.fromkeys(line[3:] for line in complaints))
        if _AWAY.search(message):
            return SourceUnreachable(message, "is the way there open? Run again")
        return BundleError(message, _SIGNED if argv[1] == "update" else "correct `packages` in the sources")
