"""How does a whole bundle come from its publishers, or nothing that is called one?"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from flows._bundle.looking import Looking
from flows._bundle.part import WORK, Part, Workshop
from flows._bundle.telling import Teller
from flows._bundle.together import together
from flows._publish import CONTROLLER
from model.bundle import MANIFEST, Bundle, missing_images, render
from model.bundle_items import Item
from model.errors import BundleError, FleetError, SourceUnreachable
from model.outcome import Outcome, Status, warn
from remote.upstream.downloads import Tell
from remote.upstream.kubeadm import runs_here, wanted_images

T = TypeVar("T")
# Enough to fill a line, few enough for publishers not to mind.
_AT_ONCE = 6
_KEPT = "record.json"
FOLDERS = ("binaries", "images", "manifests", "packages")


@dataclass(slots=True)
class Download:
    """One run; `outcomes` gathers what came of it, whether it ends well or not."""

    looking: Looking
    teller: Teller
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def _shop(self) -> Workshop:
        return self.looking.shop

    def parts(self) -> tuple[Part, ...]:
        """Ask every publisher what exactly there is; failures become outcomes."""
        looks = list(self.looking.all())
        found: list[Part] = []
        with self.teller.bar(len(looks), "asking publishers") as advance:

            def seen(parts: tuple[Part, ...]) -> None:
                found.extend(parts)
                advance(1)

            self._each([(title, look) for title, look in looks], seen)
        once = {part.key: part for part in found}
        return tuple(sorted(once.values(), key=lambda part: part.title))

    def fetch(self, parts: Sequence[Part]) -> Bundle | None:
        """
        Fetch what is not here, and write the table of contents last; None when something is wrong.
        """
        # Until all of it is whole again there is no bundle in this folder.
        (self._shop.folder / MANIFEST).unlink(missing_ok=True)
        items: list[Item] = []
        total = sum(part.size or 0 for part in parts)
        with self.teller.bytes(total, "fetching") as tell:
            self._each([(part.title, _job(self._shop, part, tell, self.outcomes)) for part in parts], items.extend)
        if self.bad:
            return None
        bundle = self._bundle(items)
        self._judge(bundle)
        if self.bad:
            return None
        _sweep(self._shop.folder, {item.file for item in items})
        draft = self._shop.draft(MANIFEST)
        draft.write_text(render(bundle), "utf-8")
        self._shop.keep(MANIFEST)
        return bundle

    @property
    def bad(self) -> bool:
        """True once something failed."""
        return any(outcome.status is Status.FAILED for outcome in self.outcomes)

    def _bundle(self, items: Iterable[Item]) -> Bundle:
        wish = self.looking.wish
        try:
            return Bundle(
                name=f"kubernetes-{wish.kubernetes}-{wish.network}",
                kubernetes=wish.kubernetes,
                architecture="arm64" if wish.architecture == "arm64" else "amd64",
                suites=wish.suites,
                items=tuple(sorted(items, key=lambda item: (item.kind, item.file))),
            )
        except ValidationError as error:
            raise BundleError(f"what was fetched is no bundle: {error}", "correct the sources") from error

    def _judge(self, bundle: Bundle) -> None:
        """Ask kubeadm itself which images it will want: where there is no internet, nothing can be added."""
        lacking = list(missing_images(bundle))
        here = {image.reference for image in bundle.images}
        wanted = self._kubeadm(bundle)
        if wanted is None:
            told = "this kubeadm does not run here, so nobody asked it whether these are the images it wants"
            step = f"compare `kubeadm config images list --kubernetes-version v{bundle.kubernetes}` with `flows.bundle show`"
            self.outcomes.append(warn(CONTROLLER, "images of kubeadm", told, step))
        else:
            lacking += [f"kubeadm {bundle.kubernetes} wants the image {one}" for one in sorted({*wanted} - here)]
        for fault in lacking:
            self._failed("images of kubeadm", fault, "correct `versions` in the sources, and name them with --sources")

    def _kubeadm(self, bundle: Bundle) -> tuple[str, ...] | None:
        if not runs_here(bundle.architecture):
            return None
        program = self._shop.work.resolve() / "kubeadm"
        with gzip.open(self._shop.folder / bundle.binary("kubeadm").file) as source, program.open("wb") as target:
            shutil.copyfileobj(source, target, 2**20)
        program.chmod(0o700)
        return wanted_images(program, bundle.kubernetes)

    def _each(self, jobs: Sequence[tuple[str, Callable[[], T]]], done: Callable[[T], None]) -> None:
        """Do all jobs, several at once; what FleetError ends is an outcome, and the others go on."""
        try:
            for one in together(jobs, _AT_ONCE):
                try:
                    done(one.result())
                except FleetError as error:
                    self._failed(one.title, str(error), error.next_step, wrong=not isinstance(error, SourceUnreachable))
                except (OSError, ValidationError) as error:
                    self._failed(one.title, f"cannot become part of the bundle: {error}", "has the folder room?")
        except BaseException:
            self._shop.client.stop()
            raise

    def _failed(self, subject: str, message: str, step: str, *, wrong: bool = True) -> None:
        self.outcomes.append(Outcome(CONTROLLER, subject, Status.FAILED, message, step, {"wrong": wrong}))


def _job(shop: Workshop, part: Part, tell: Tell, outcomes: list[Outcome]) -> Callable[[], tuple[Item, ...]]:
    def work() -> tuple[Item, ...]:
        made = shop.made(part)
        if made is not None:
            tell(part.size or 0)
            outcomes.append(Outcome(CONTROLLER, part.title, Status.OK, "is here"))
            return made
        made = part.make(shop, tell)
        shop.record.write(part.key, made)
        outcomes.append(
            Outcome(CONTROLLER, part.title, Status.CHANGED, f"from {part.address}" if part.address else "written")
        )
        return made

    return work


def claim(folder: Path) -> None:
    """
    Make the folder ready; raises BundleError where it holds something else than a bundle.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = {path.name for path in folder.iterdir()}
        if present and not present & {MANIFEST, WORK}:
            raise BundleError(f"{folder} holds something else than a bundle", "name an empty folder with --output")
        (folder / WORK).mkdir(exist_ok=True)
    except OSError as error:
        raise BundleError(
            f"{folder} cannot be written: {error.strerror}", "name another folder with --output"
        ) from error


def _sweep(folder: Path, files: set[str]) -> None:
    """Remove what earlier versions left, and all that was only needed on the way."""
    for name in FOLDERS:
        for path in sorted((folder / name).rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif str(path.relative_to(folder)) not in files:
                path.unlink()
    for path in (folder / WORK).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _KEPT:
            path.unlink()
