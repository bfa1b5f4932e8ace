"""What a site without internet installs: fetch it, list it, see that it is whole."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import typer

from flows._bundle import display, verification
from flows._bundle import push as pushing
from flows._bundle.application import application_part
from flows._bundle.download import Download
from flows._bundle.finish import finish_run
from flows._bundle.part import WORK, DownloadContext
from flows._bundle.place import claim
from flows._bundle.progress import ProgressBars
from flows._bundle.resolve import Resolver
from flows._render.words import counted
from flows._run import cli
from flows._run import folder as folders
from flows._run import options as flags
from flows._run.lifecycle import terminable
from flows._run.publish import CONTROLLER
from flows._run.screen import Screen
from flows._run.shared import shared_flags
from model.bundle.bundle import Bundle
from model.bundle.sources import load_sources
from model.bundle.spec import BundleSpec, compose
from model.checkout import TEMPLATES
from model.errors import BundleError
from model.report.outcome import GOOD, Outcome, Status
from model.site.load import load_site
from remote.upstream.client import Client
from remote.upstream.registry import Registries

HELP = """\b
Fetch what a site without internet installs, look at it, and see that it is whole.

\b
Example: python -m flows.bundle download --output bundle     on a machine with internet
         python -m flows.bundle verify bundle                where it was carried to
         python -m flows.bundle push bundle                  derived images, to the site's own registry
"""
SOURCES = TEMPLATES / "bundle" / "sources.yaml"
app = cli.application(HELP)

Output = Annotated[Path, typer.Option(metavar="DIR", help="A folder for the bundle: new, empty, or an unfinished one.")]
SourcesFile = Annotated[
    Path,
    typer.Option(
        "--sources", metavar="FILE", help="Addresses and versions; the project's own otherwise.", show_default=False
    ),
]
Kubernetes = Annotated[
    str | None, typer.Option(metavar="X.Y[.Z]", help="Version; the site's or the sources' otherwise.")
]
Suites = Annotated[
    list[str] | None, typer.Option("--suite", metavar="NAME", help="A Debian release, may be repeated; all otherwise.")
]
Architecture = Annotated[Literal["amd64", "arm64"], typer.Option(help="What the servers are.")]
Network = Annotated[
    Literal["flannel", "calico"] | None, typer.Option("--cni", help="Pod network; the site's or flannel otherwise.")
]
Site = Annotated[
    Path | None,
    typer.Option(
        "--inventory",
        envvar=flags.ENVIRONMENT,
        metavar="DIR",
        help="Take version and pod network from this site, and the images its components use.",
    ),
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The bundle.")]


@app.command()
@shared_flags("dry_run", "json", "quiet", "no_color")
def download(
    output: Output = Path("bundle"),
    sources: SourcesFile = SOURCES,
    kubernetes: Kubernetes = None,
    suite: Suites = None,
    architecture: Architecture = "amd64",
    cni: Network = None,
    inventory: Site = None,
    *,
    options: flags.Options,
) -> int:
    """Fetch programs, images, packages and manifests from their publishers; each is compared with what its publisher
    says of it.

    Needs apt and gpgv, no root, and no host of the site. What is finished is never fetched twice: after a failure, run
    it again. The proxy is that of HTTPS_PROXY, HTTP_PROXY and NO_PROXY; trusted authorities are those of this machine.
    bundle.json is written last.

    Example: python -m flows.bundle download --kubernetes 1.36 --cni calico
    """
    started, screen, dry_run = datetime.now(UTC), Screen(options), options.dry_run
    folders.check_writable(options.json)
    known = load_sources(sources)
    site = load_site(inventory) if inventory is not None else None
    if site is not None:
        kubernetes = kubernetes or site.settings.kubernetes.version
        cni = cni or _network(site.settings.cni.name)
    part = application_part(site)
    spec = compose(known, kubernetes, architecture, suite or (), cni or "flannel", part.images, part.derivations)
    with terminable(), TemporaryDirectory() as aside:
        if not dry_run:
            claim(output)
        client = Client(frozenset(known.plain_http))
        downloads = Path(aside) if dry_run else output / WORK
        context = DownloadContext(output, downloads, client, Registries(client, known.registries))
        run = Download(Resolver(context, known, spec, sources.parent), ProgressBars(screen), list(part.outcomes))
        bundle, extra = _fetched(run, screen, spec, dry_run=dry_run)
    if bundle and not screen.calm:
        screen.lines(display.head(bundle, output))
    return finish_run(started, options, screen, bundle.name if bundle else str(output), run.outcomes, extra)


def _fetched(
    run: Download, screen: Screen, spec: BundleSpec, *, dry_run: bool
) -> tuple[Bundle | None, dict[str, object]]:
    screen.say(f"Kubernetes {spec.kubernetes} for {spec.architecture}, {', '.join(spec.suites)}, {spec.network}")
    complete = run.look()
    extra: dict[str, object] = {"parts": [display.entry(part, here=part.key in run.here) for part in run.parts]}
    if not complete:
        return None, extra
    if not dry_run:
        return run.fetch(), extra
    if not screen.calm:
        screen.lines(display.wished(run.missing))
    run.outcomes.append(_wished(run))
    return None, extra


def _wished(run: Download) -> Outcome:
    missing = run.missing
    if not missing:
        return Outcome(CONTROLLER, "download", Status.OK, "everything is here")
    size = display.readable(sum(part.size or 0 for part in missing))
    message = f"would fetch {counted(len(missing), 'thing')}, {size} as far as their publishers say"
    return Outcome(CONTROLLER, "download", Status.DRIFT, message, next="run it without --dry-run")


def _network(name: str) -> Literal["flannel", "calico"]:
    if name not in ("flannel", "calico"):
        raise BundleError(
            f"site.yaml: cni.name is {name}, and there is no bundle for it", "choose flannel or calico, or say --cni"
        )
    return "calico" if name == "calico" else "flannel"


@app.command()
@shared_flags("json", "quiet", "no_color")
def verify(
    folder: Folder = Path("bundle"),
    *,
    options: flags.Options,
) -> int:
    """Read every byte of a bundle again: sizes, sha256, what is inside programs and images, nothing extra, nothing
    missing.

    Example: python -m flows.bundle verify bundle
    """
    started, screen = datetime.now(UTC), Screen(options)
    folders.check_writable(options.json)
    bundle = verification.read(folder)
    with terminable():
        outcomes = list(verification.verify(folder, bundle, ProgressBars(screen)))
    if not screen.calm:
        screen.lines(display.head(bundle, folder))
    return finish_run(started, options, screen, bundle.name, outcomes)


@app.command()
@shared_flags("inventory", "dry_run", "json", "quiet", "no_color")
def push(folder: Folder = Path("bundle"), *, options: flags.Options) -> int:
    """Put the site's derived images of a bundle into the registry that site.yaml names for it.

    Parts that are there are not sent again. Each image is read again by its tag afterwards, and its digest compared.
    What is printed then stands as `pushed` in images.yaml, so that nodes pull the image.

    Example: python -m flows.bundle push bundle --inventory site --dry-run
    """
    started, screen = datetime.now(UTC), Screen(options)
    folders.check_writable(options.json)
    site = load_site(options.inventory)
    place, bundle = pushing.target(site), verification.read(folder)
    with terminable():
        done = tuple(pushing.push(place, folder, bundle, ProgressBars(screen), dry_run=options.dry_run))
    if not screen.calm:
        screen.lines(display.pushed([reference for reference, _ in done if reference]))
    return finish_run(started, options, screen, bundle.name, [outcome for _, outcome in done])


@app.command()
@shared_flags("json", "no_color")
def show(folder: Folder = Path("bundle"), *, options: flags.Options) -> int:
    """List what is in a bundle and what it is good for; `verify` sees whether it is whole.

    Example: python -m flows.bundle show bundle --json -
    """
    bundle = verification.read(folder)
    if options.json is not None:
        folders.check_writable(options.json)
        folders.hand_over(options.json, display.document(bundle, folder), Screen(options).text)
    if not options.json_on_stdout:
        Screen(options).lines(display.lines(bundle, folder))
    return GOOD


if __name__ == "__main__":
    os.umask(0o022)
    cli.run(app, "flows.bundle")
