"""Phases that make a Debian server one that can run containers: operating system, container runtime."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flows._phases.work import Work, told
from model.errors import HostError, SiteError
from model.outcome import Outcome, Status
from tasks import operating_system, runtime, staging
from tasks.hoststate import SECONDS, enforce

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from model.bundle import Bundle

_PAUSE = "registry.k8s.io/pause:3.10.2"
_LONG = 900.0


def system(work: Work) -> tuple[Outcome, ...]:
    """Packages, names, time, kernel settings; the bundle's programs and packages are staged first."""
    trusted = _trusted(work)

    def task(host: Host) -> Outcome:
        staged = _stage_files(work, host)
        desired = operating_system.desired(work.site, work.site.by_name[host.name], trusted)
        done = enforce(host, desired, dry_run=work.dry_run, timeout=SECONDS)
        return _with_staged(told(host.name, "os", done, "operating system"), staged, work.dry_run)

    return work.on_each("os", "operating system", task, work.hosts, _LONG)


def container_runtime(work: Work) -> tuple[Outcome, ...]:
    """containerd and kubelet's unit, then the images of the bundle."""
    pause = work.bundle.image("pause").reference if work.bundle else _PAUSE

    def task(host: Host) -> Outcome:
        done = enforce(host, runtime.desired(work.site, pause), dry_run=work.dry_run, timeout=SECONDS)
        outcome = told(host.name, "runtime", done, "container runtime")
        imported = _stage_images(work, host) if done.applied or not done.change else 0
        return _with_staged(outcome, imported, work.dry_run)

    return work.on_each("runtime", "container runtime", task, work.nodes, _LONG)


def _trusted(work: Work) -> dict[str, str]:
    found = {}
    for said in work.site.settings.servers.trusted_ca:
        path = work.context.options.inventory / said
        try:
            found[path.stem] = path.read_text("utf-8")
        except OSError as error:
            raise SiteError(f"site.yaml: servers.trusted_ca: {said}: {error.strerror}; name a PEM file there") from None
    return found


def _stage_files(work: Work, host: Host) -> int:
    machine = work.site.by_name[host.name]
    if work.bundle is None or work.folder is None:
        return 0
    suite = work.facts[host.name].suite
    pieces = staging.files_for(work.bundle, suite, machine.node == "control_plane")
    missing = staging.missing_files(host, pieces)
    if work.facts[host.name].progress == "member" and any(piece.item.name == "kubelet" for piece in missing):
        _same_version(host, work.bundle)
    return _stage(work, host, missing)


def _same_version(host: Host, bundle: Bundle) -> None:
    """Raise `HostError` where a member of the cluster runs another version: that changes node by node, and never back."""
    from remote.shell import run

    said = run(host, ("kubelet", "--version"), root=True).stdout.decode(errors="replace").split()
    runs = said[-1].lstrip("v") if said else ""
    if runs and runs != bundle.kubernetes:
        step = "python -m flows.upgrade brings nodes to a newer one; or name the bundle that they run in site.yaml"
        raise HostError(host.name, f"runs Kubernetes {runs}, and the bundle carries {bundle.kubernetes}", step)


def _stage_images(work: Work, host: Host) -> int:
    if work.bundle is None or work.folder is None:
        return 0
    pieces = staging.images_for(work.bundle, work.site.by_name[host.name].node == "control_plane")
    return _stage(work, host, staging.missing_images(host, pieces), "images")


def _stage(work: Work, host: Host, missing: tuple[staging.Piece, ...], kind: str = "files") -> int:
    if missing and work.folder is not None and not work.dry_run:
        staging.send(host, work.folder, missing)
        left = staging.missing_images(host, missing) if kind == "images" else staging.missing_files(host, missing)
        if left:
            names = ", ".join(piece.item.name for piece in left)
            raise HostError(host.name, f"after staging it still lacks {names}", "look at its disk and its journal")
    return len(missing)


def _with_staged(outcome: Outcome, count: int, dry_run: bool) -> Outcome:
    """Let an outcome tell of the bundle's files that were brought, or would be."""
    if not count:
        return outcome
    if dry_run:
        return replace(
            outcome,
            status=Status.DRIFT,
            message=f"{outcome.message}; {count} files of the bundle would be staged",
            next="run without --dry-run",
        )
    return replace(outcome, status=Status.CHANGED, message=f"{outcome.message}; {count} files of the bundle staged")
