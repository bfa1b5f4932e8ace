"""Synapse asked by itself, in the image that will run, whether it accepts what it will be given."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from model.checkout import HOST_SCRIPTS
from model.errors import CommandFailed, HostError, ProtocolError
from model.rollout.rendered import RenderedComponent
from model.rollout.synapse.check_files import CheckFiles, check_files, configs, parsed_files, program
from model.rollout.synapse.config_audit import audit
from model.rollout.synapse.misrouting import misrouted
from model.rollout.synapse.processes import Processes
from model.rollout.synapse.routes import RouteTable, difference, read
from model.rollout.synapse.routing import routing
from model.rollout.synapse.settings import known_settings, misspelt
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
    `complaints` are Synapse's and ours, a sentence each. `routes` is what the image serves more, less or elsewhere than
    the table that requests are routed by, `misrouted` what would reach a worker that does not serve it, and `dump` the
    file with the image's own table where the two differ. `doubts` says what was held to another version, `unproven`
    what could not be looked at. `cached`: it was asked before.
    """

    complaints: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    misrouted: tuple[str, ...] = ()
    dump: Path | None = None
    doubts: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    cached: bool = False

    @property
    def good(self) -> bool:
        """Whether everything was looked at and nothing is wrong or another than it was."""
        return not (self.complaints or self.routes or self.misrouted or self.doubts or self.unproven)


def judged_here(component: RenderedComponent, running: Processes, version: str) -> SynapseVerdict:
    """Return what is wrong with the configurations by our own rules, which need no image."""
    known, complaints = known_settings(version), audit(configs(component, running))
    if known is None:
        words = f"images.yaml: {version} is no version of Synapse: a misspelt setting would not be seen"
        return SynapseVerdict(complaints=complaints, unproven=(words,))
    other = f"the settings of Synapse {version} are not kept: they were held to those of {known.version}"
    return SynapseVerdict(
        complaints=(*misspelt(parsed_files(component, running), known), *complaints),
        doubts=() if known.version == version else (other,),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageQuestion:
    """An image, what it will be given, and the `table` that requests to it are routed by; its tag says `version`."""

    image: PinnedReference
    version: str
    component: RenderedComponent
    running: Processes
    table: RouteTable


def checked_in_image(host: Host, question: ImageQuestion, state: Path) -> SynapseVerdict:
    """
    Ask the image on a node; nothing stays there. What was answered is kept in `state` by files and the image's digest
    (where none is known, its tag, under which another may come), and not asked again. A node that cannot be asked makes
    it unproven.
    """
    files = check_files(question.component, question.running)
    known = files.digest((question.image.digest or question.image.by_tag) + program("route_dump"))
    kept = _kept(state / CACHE).get(known)
    try:
        answer = kept or _ask(host, question.image.by_tag, files)
    except HostError as error:
        return SynapseVerdict(unproven=(f"Synapse's own check did not run: {error}",))
    if not kept:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(state / CACHE, json.dumps({known: asdict(answer)}).encode())
    return replace(_judged(answer, question, state), cached=bool(kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class _ImageAnswer:
    """What the image said: its complaints, and the text of its table of routes."""

    complaints: Sequence[str]
    dump: str


def _judged(answer: _ImageAnswer, question: ImageQuestion, state: Path) -> SynapseVerdict:
    """Compare what the image serves with the table; the image's own is left in `state` where the two differ."""
    found, complaints = read(answer.dump), tuple(answer.complaints)
    if found.version != question.version:
        complaints += (f"images.yaml: the image is Synapse {found.version}, and its tag says {question.version}",)
    verdict = SynapseVerdict(complaints=complaints, routes=difference(question.table, found))
    if not verdict.routes:
        return verdict
    dump = state / f"routes-{found.version}.json"
    write_private(dump, answer.dump.encode(), mode=0o644)
    try:
        wrong = misrouted(routing(question.table, question.running), question.running, question.table, found)
    except ValueError as error:
        words = f"it is not known whether each route of the image reaches who serves it: {error}"
        return replace(verdict, dump=dump, unproven=(words,))
    return replace(verdict, dump=dump, misrouted=wrong)


def _ask(host: Host, image: str, files: CheckFiles) -> _ImageAnswer:
    answer = json.loads(_run_in_image(host, image, files.files, files.command))
    found: Mapping[str, str] = answer["complaints"]
    if found.keys() != files.asked.keys():
        raise ProtocolError(host.name, f"Synapse's check spoke of {', '.join(found) or 'nobody'}")
    complaints = tuple(f"{process}: Synapse refuses it: {words}" for process, words in found.items() if words)
    dump = _run_in_image(host, image, ROUTES, ("python3", "-W", "ignore", "/check/route_dump.py"))
    if not read(dump).routes:
        raise ProtocolError(host.name, "the dump of Synapse's routes is empty")
    return _ImageAnswer(complaints=complaints, dump=f"{dump}\n")


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


def _kept(path: Path) -> dict[str, _ImageAnswer]:
    """Return what was answered before; what another version of this program wrote counts as nothing."""
    try:
        content = json.loads(path.read_text("utf-8"))
        return {known: _ImageAnswer(**answer) for known, answer in content.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}
