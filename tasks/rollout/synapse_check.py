"""Synapse asked by itself, in the image that will run, whether it accepts what it will be given."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model.checkout import HOST_SCRIPTS
from model.errors import CommandFailed, HostError, ProtocolError
from model.rollout.rendered import RenderedComponent
from model.rollout.synapse.check_files import CheckFiles, check_files, configs, program
from model.rollout.synapse.config_audit import audit, known_settings
from model.rollout.synapse.processes import Processes
from model.rollout.synapse.routes import RouteTable, difference, read
from tasks.application_images import PinnedReference
from tasks.private_file import write_private

if TYPE_CHECKING:
    from nornir.core.inventory import Host

SCRIPT = HOST_SCRIPTS / "run-in-image.sh"
SECONDS = 180.0
CACHE = "synapse-check.json"
ROUTES = {"check/route_dump.py": program("route_dump")}


@dataclass(frozen=True, slots=True, kw_only=True)
class SynapseVerdict:
    """
    `complaints` are Synapse's and ours, a sentence each; `routes` what the image serves more or less than what requests
    are routed by; `unproven` says what could not be looked at; `cached`: it was asked before.
    """

    complaints: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    cached: bool = False

    @property
    def good(self) -> bool:
        """Whether everything was looked at and nothing is wrong."""
        return not (self.complaints or self.routes or self.unproven)


def judged_here(component: RenderedComponent, running: Processes, version: str) -> SynapseVerdict:
    """Return what is wrong with the configurations by our own rules, which need no image."""
    known = known_settings(version)
    found = configs(component, running)
    if known is None:
        return SynapseVerdict(
            complaints=audit(found, frozenset().union(*found.values())),
            unproven=(f"nobody has kept the settings of Synapse {version}: a misspelt one would not be seen",),
        )
    return SynapseVerdict(complaints=audit(found, known))


def checked_in_image(
    host: Host,
    image: PinnedReference,
    component: RenderedComponent,
    running: Processes,
    table: RouteTable,
    state: Path,
) -> SynapseVerdict:
    """
    Ask the image on a node; nothing stays there. What was answered is kept in `state` by files and the image's digest
    (where none is known, its tag, under which another may come), and not asked again. A node that cannot be asked makes
    it unproven.
    """
    files = check_files(component, running)
    known = files.digest((image.digest or image.by_tag) + program("route_dump") + table.version)
    kept = _kept(state / CACHE)
    if known in kept:
        return SynapseVerdict(**{key: tuple(value) for key, value in kept[known].items()}, cached=True)
    try:
        verdict = _ask(host, image.by_tag, files, table)
    except HostError as error:
        return SynapseVerdict(unproven=(f"Synapse's own check did not run: {error}",))
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    answer = {"complaints": verdict.complaints, "routes": verdict.routes}
    write_private(state / CACHE, json.dumps({known: answer}).encode())
    return verdict


def _ask(host: Host, image: str, files: CheckFiles, table: RouteTable) -> SynapseVerdict:
    answer = json.loads(_run_in_image(host, image, files.files, files.command))
    found: Mapping[str, str] = answer["complaints"]
    if found.keys() != files.asked.keys():
        raise ProtocolError(host.name, f"Synapse's check spoke of {', '.join(found) or 'nobody'}")
    complaints = tuple(f"{process}: Synapse refuses it: {words}" for process, words in found.items() if words)
    dump = read(_run_in_image(host, image, ROUTES, ("python3", "-W", "ignore", "/check/route_dump.py")))
    if not dump.routes:
        raise ProtocolError(host.name, "the dump of Synapse's routes is empty")
    return SynapseVerdict(complaints=complaints, routes=difference(table, dump))


def _run_in_image(host: Host, image: str, files: Mapping[str, str], command: tuple[str, ...]) -> str:
    """Run a program in an image and return its last line of output; raises `HostError`."""
    from remote.shell import run

    folders = " ".join(sorted({path.partition("/")[0] for path in files}))
    argv = ("sh", "-c", SCRIPT.read_text("utf-8"), "sh", image, folders, *command)
    done = run(host, argv, stdin=packed(files), root=True, timeout=SECONDS)
    text = done.stdout.decode("utf-8", "replace").strip()
    if done.exit_code != 0:
        # Only the program and its end: its arguments are long, and its files are ours.
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        lines = [line for line in said if "level=warning" not in line]
        raise CommandFailed(host.name, ("ctr", "run", image), done.exit_code, lines[-1] if lines else "it said nothing")
    if "{" not in text:
        raise ProtocolError(host.name, "the program in Synapse's image printed nothing")
    return text[text.index("{") :]


def packed(files: Mapping[str, str]) -> bytes:
    """Return files as a tar that root alone may read."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _kept(path: Path) -> dict[str, dict[str, list[str]]]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
