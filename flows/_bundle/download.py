"""The download of a whole bundle from its publishers, or of nothing that is called one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from pydantic import ValidationError

from flows._bundle import judging
from flows._bundle.part import DownloadContext, Part
from flows._bundle.place import sweep
from flows._bundle.progress import ProgressBars
from flows._bundle.resolve import Resolver
from flows._fleet.pool import run_pool
from flows._render.words import counted
from flows._run.publish import CONTROLLER
from model.bundle.bundle import MANIFEST, Bundle, render
from model.bundle.items import Item
from model.errors import BundleError, FleetError, SourceUnreachable
from model.report.outcome import Outcome, Status
from remote.upstream.downloads import Tell

T = TypeVar("T")
# Enough to fill a line, few enough for publishers not to mind.
_AT_ONCE = 6


@dataclass(slots=True)
class Download:
    """
    One run. `outcomes` gathers what came of it; `parts` are all, `here` the items of those that are whole already, by
    their keys.
    """

    resolver: Resolver
    bars: ProgressBars
    outcomes: list[Outcome] = field(default_factory=list)
    parts: tuple[Part, ...] = ()
    here: dict[str, tuple[Item, ...]] = field(default_factory=dict)

    def look(self) -> bool:
        """Ask every publisher what exactly there is, and see what of it is here; False when an answer is missing."""
        looks = list(self.resolver.all())
        resolved: list[Part] = []
        with self.bars.bar(len(looks), "asking publishers") as advance:

            def add(parts: tuple[Part, ...]) -> None:
                resolved.extend(parts)
                advance(1)

            self._do_all(looks, add)
        once = {part.key: part for part in resolved}
        self.parts = tuple(sorted(once.values(), key=lambda part: part.title))
        with self.bars.bar(len(self.parts), "looking at what is here") as advance:

            def note(answer: tuple[str, tuple[Item, ...] | None]) -> None:
                key, items = answer
                if items is not None:
                    self.here[key] = items
                advance(1)

            self._do_all([(part.title, partial(_look, self._context, part)) for part in self.parts], note)
        resolver = self.resolver
        self.outcomes += judging.vouched(resolver.sources, resolver.spec, resolver.pinned)
        return not self.bad

    @property
    def missing(self) -> tuple[Part, ...]:
        """What is to be fetched."""
        return tuple(part for part in self.parts if part.key not in self.here)

    def fetch(self) -> Bundle | None:
        """Fetch what is missing, and write the table of contents last; None when something is wrong."""
        missing = self.missing
        table = self._context.folder / MANIFEST
        items = [item for already in self.here.values() for item in already]
        if missing:
            # Until all of it is whole again there is no bundle in this folder.
            table.unlink(missing_ok=True)
        with self.bars.bytes(sum(part.size or 0 for part in missing), "fetching") as tell:
            self._do_all([(part.title, partial(_make, self._context, part, tell)) for part in missing], items.extend)
        if self.bad:
            return None
        bundle = self._bundle(items)
        self.outcomes += judging.sufficient(self._context.folder, self._context.scratch, bundle)
        if self.bad:
            return None
        self._publish(bundle)
        message = f"{counted(len(missing), 'thing')} fetched, {len(self.here)} were here"
        self.outcomes.append(Outcome(CONTROLLER, "download", Status.CHANGED if missing else Status.OK, message))
        return bundle

    @property
    def bad(self) -> bool:
        """True once something failed."""
        return any(outcome.status is Status.FAILED for outcome in self.outcomes)

    @property
    def _context(self) -> DownloadContext:
        return self.resolver.context

    def _bundle(self, items: Iterable[Item]) -> Bundle:
        spec = self.resolver.spec
        try:
            return Bundle(
                name=f"kubernetes-{spec.kubernetes}-{spec.network}",
                kubernetes=spec.kubernetes,
                architecture=spec.architecture,
                suites=spec.suites,
                items=tuple(sorted(items, key=lambda item: (item.kind, item.file))),
            )
        except ValidationError as error:
            raise BundleError(f"what was fetched is no bundle: {error}", "correct the sources") from error

    def _publish(self, bundle: Bundle) -> None:
        text = render(bundle)
        table = self._context.folder / MANIFEST
        sweep(self._context.folder, {item.file for item in bundle.items})
        if not table.exists() or table.read_text("utf-8") != text:
            self._context.draft(MANIFEST).write_text(text, "utf-8")
            self._context.keep(MANIFEST)

    def _do_all(self, jobs: Sequence[tuple[str, Callable[[], T]]], done: Callable[[T], None]) -> None:
        """Do all jobs, several at once; what FleetError ends is an outcome, and the others go on."""
        try:
            for job in run_pool(jobs, _AT_ONCE):
                try:
                    done(job.value())
                except FleetError as error:
                    wrong = not isinstance(error, SourceUnreachable)
                    self._failed(job.title, str(error), error.next_step, wrong=wrong)
                except (OSError, ValidationError) as error:
                    self._failed(job.title, f"cannot become part of the bundle: {error}", "has the folder room?")
        except BaseException:
            self._context.client.stop()
            raise

    def _failed(self, subject: str, message: str, step: str, *, wrong: bool = True) -> None:
        self.outcomes.append(Outcome(CONTROLLER, subject, Status.FAILED, message, next=step, evidence={"wrong": wrong}))


def _look(context: DownloadContext, part: Part) -> tuple[str, tuple[Item, ...] | None]:
    return part.key, context.finished(part)


def _make(context: DownloadContext, part: Part, tell: Tell) -> tuple[Item, ...]:
    items = part.make(context, tell)
    context.record.write(part.key, items)
    return items
