"""Phases that make a Debian server one that can run containers: operating system, container runtime."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun, state_outcome
from model.errors import HostError, SiteError
from model.host.hoststate import is_version
from model.report.outcome import Outcome, Status
from tasks import cni, images, kubeadm, operating_system, runtime, staging
from tasks.hoststate import SECONDS, enforce

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_OF_BUNDLE = "files of the bundle"
_LONG = 900.0


def system(work: ClusterRun) -> tuple[Outcome, ...]:
    """Packages, names, time, kernel settings; the bundle's programs and packages are staged first."""
    trusted = _trusted(work)

    def task(host: Host) -> Outcome:
        if work.bundle is None and work.site.by_name[host.name].node:
            _by_apt(work, host)
        staged = _stage_files(work, host)
        machine, codename = work.site.by_name[host.name], work.facts[host.name].suite
        desired = operating_system.desired(work.site, machine, trusted, codename)
        done = enforce(host, desired, dry_run=work.dry_run, timeout=SECONDS)
        return _with_brought(state_outcome(host.name, "os", done, "operating system"), staged, _OF_BUNDLE, work.dry_run)

    return work.on_each("os", "operating system", task, work.hosts, _LONG)


def container_runtime(work: ClusterRun) -> tuple[Outcome, ...]:
    """containerd and kubelet's unit, then images: those of the bundle, or pulled by every node at once."""
    pause = images.reference(work.site, work.bundle, "pause")
    bring = _stage_images if work.bundle else _pull_images

    def task(host: Host) -> Outcome:
        if work.bundle is None:
            _by_apt(work, host)
        desired = runtime.desired(work.site, pause, work.facts[host.name].suite)
        done = enforce(host, desired, dry_run=work.dry_run, timeout=_LONG if work.bundle is None else SECONDS)
        outcome = state_outcome(host.name, "runtime", done, "container runtime")
        brought = bring(work, host) if done.applied or not done.change else 0
        what = _OF_BUNDLE if work.bundle else "images and programs from registries"
        return _with_brought(outcome, brought, what, work.dry_run)

    return work.on_each("runtime", "container runtime", task, work.nodes, _LONG * 2)


def _trusted(work: ClusterRun) -> dict[str, str]:
    found = {}
    for said in work.site.settings.servers.trusted_ca:
        path = work.context.options.inventory / said
        try:
            found[path.stem] = path.read_text("utf-8")
        except OSError as error:
            raise SiteError(f"site.yaml: servers.trusted_ca: {said}: {error.strerror}; name a PEM file there") from None
    return found


def _stage_files(work: ClusterRun, host: Host) -> int:
    machine = work.site.by_name[host.name]
    if work.bundle is None or work.folder is None:
        return 0
    suite = work.facts[host.name].suite
    pieces = staging.files_for(work.bundle, suite, machine.node == "control_plane")
    missing = staging.missing_files(host, pieces)
    if work.facts[host.name].progress == "member" and any(piece.item.name == "kubelet" for piece in missing):
        _same_version(host, work.bundle.kubernetes, "the bundle carries")
    return _stage(work, host, missing)


def _same_version(host: Host, wanted: str, whose: str) -> None:
    """
    Raise `HostError` where a member of the cluster runs another version: that changes node by node, and never back.
    """
    from remote.shell import run

    said = run(host, ("kubelet", "--version"), root=True).stdout.decode(errors="replace").split()
    runs = said[-1].lstrip("v") if said else ""
    if runs and not is_version(runs, wanted):
        step = "python -m flows.upgrade brings nodes to a newer bundle; or name in site.yaml what they run"
        raise HostError(host.name, f"runs Kubernetes {runs}, and {whose} {wanted}", step)


def _by_apt(work: ClusterRun, host: Host) -> None:
    """Raise `HostError` for a host that apt must not change: a member of another version, or one that a bundle made."""
    from remote.shell import run

    if run(host, ("test", "-e", f"{staging.FOLDER}/stamps"), root=True).exit_code == 0:
        step = "name the bundle in site.yaml again; or reset the node, and remove that folder and its programs in /usr/local/bin"
        raise HostError(host.name, f"was installed from a bundle, which lies in {staging.FOLDER}", step)
    if work.facts[host.name].progress == "member":
        _same_version(host, work.site.settings.kubernetes.version, "site.yaml says")


def _pull_images(work: ClusterRun, host: Host) -> int:
    """Return how many images had to come, and one more where etcd's own programs came, too."""
    control_plane = work.site.by_name[host.name].node == "control_plane"
    helper_hosts = (images.reference(work.site, None, "pause"), *cni.references(work.site, work.bundle, work.folder))
    wanted = images.wanted(host, kubeadm.version(host), helper_hosts, control_plane=control_plane)
    missing = images.missing(host, wanted)
    if missing and work.dry_run:
        return len(missing)
    images.pull(host, missing)
    return len(missing) + (images.etcd_programs(host, wanted) if control_plane and not work.dry_run else 0)


def _stage_images(work: ClusterRun, host: Host) -> int:
    if work.bundle is None or work.folder is None:
        return 0
    pieces = staging.images_for(work.bundle, work.site.by_name[host.name].node == "control_plane")
    return _stage(work, host, staging.missing_images(host, pieces), "images")


def _stage(work: ClusterRun, host: Host, missing: tuple[staging.Piece, ...], kind: str = "files") -> int:
    if missing and work.folder is not None and not work.dry_run:
        staging.send(host, work.folder, missing)
        left = staging.missing_images(host, missing) if kind == "images" else staging.missing_files(host, missing)
        if left:
            names = ", ".join(piece.item.name for piece in left)
            raise HostError(host.name, f"after staging it still lacks {names}", "look at its disk and its journal")
    return len(missing)


def _with_brought(outcome: Outcome, count: int, what: str, dry_run: bool) -> Outcome:
    """Let an outcome tell of what was brought to the host, or would be."""
    if not count:
        return outcome
    if dry_run:
        message = f"{outcome.message}; {count} {what} would be brought"
        return replace(outcome, status=Status.DRIFT, message=message, next="run without --dry-run")
    return replace(outcome, status=Status.CHANGED, message=f"{outcome.message}; {count} {what} brought")
