"""Phases that make a Debian server one that can run containers: operating system, container runtime."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from flows._cluster.cluster_run import ClusterRun
from flows._cluster.outcomes import state_outcome
from model.errors import HostError, SiteError
from model.host.debian_version import is_version
from model.report.outcome import Outcome, Status
from tasks import cni, images, kubeadm, operating_system, runtime, staging
from tasks.hoststate import SECONDS, enforce

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_OF_BUNDLE = "files of the bundle"
_LONG = 900.0


def system(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """Packages, names, time, kernel settings; the bundle's programs and packages are staged first."""
    trusted = _trusted(cluster_run)

    def task(host: Host) -> Outcome:
        if cluster_run.bundle is None and cluster_run.site.by_name[host.name].node:
            _by_apt(cluster_run, host)
        staged = _stage_files(cluster_run, host)
        machine, codename = cluster_run.site.by_name[host.name], cluster_run.facts[host.name].suite
        desired = operating_system.desired(cluster_run.site, machine, trusted, codename)
        done = enforce(host, desired, dry_run=cluster_run.dry_run, timeout=SECONDS)
        return _with_brought(
            state_outcome(host.name, "os", done, "operating system"), staged, _OF_BUNDLE, cluster_run.dry_run
        )

    return cluster_run.on_each("os", "operating system", task, cluster_run.hosts, _LONG)


def container_runtime(cluster_run: ClusterRun) -> tuple[Outcome, ...]:
    """containerd and kubelet's unit, then images: those of the bundle, or pulled by every node at once."""
    pause = images.reference(cluster_run.site, cluster_run.bundle, "pause")
    bring = _stage_images if cluster_run.bundle else _pull_images

    def task(host: Host) -> Outcome:
        if cluster_run.bundle is None:
            _by_apt(cluster_run, host)
        desired = runtime.desired(cluster_run.site, pause, cluster_run.facts[host.name].suite)
        done = enforce(
            host, desired, dry_run=cluster_run.dry_run, timeout=_LONG if cluster_run.bundle is None else SECONDS
        )
        outcome = state_outcome(host.name, "runtime", done, "container runtime")
        brought = bring(cluster_run, host) if done.applied or not done.change else 0
        what = _OF_BUNDLE if cluster_run.bundle else "images and programs from registries"
        return _with_brought(outcome, brought, what, cluster_run.dry_run)

    return cluster_run.on_each("runtime", "container runtime", task, cluster_run.nodes, _LONG * 2)


def _trusted(cluster_run: ClusterRun) -> dict[str, str]:
    texts = {}
    for name in cluster_run.site.settings.servers.trusted_ca:
        path = cluster_run.context.options.inventory / name
        try:
            texts[path.stem] = path.read_text("utf-8")
        except OSError as error:
            raise SiteError(f"site.yaml: servers.trusted_ca: {name}: {error.strerror}; name a PEM file there") from None
    return texts


def _stage_files(cluster_run: ClusterRun, host: Host) -> int:
    machine = cluster_run.site.by_name[host.name]
    if cluster_run.bundle is None or cluster_run.folder is None:
        return 0
    suite = cluster_run.facts[host.name].suite
    pieces = staging.files_for(cluster_run.bundle, suite, machine.node == "control_plane")
    missing = staging.missing_files(host, pieces)
    if cluster_run.facts[host.name].progress == "member" and any(piece.item.name == "kubelet" for piece in missing):
        _same_version(host, cluster_run.bundle.kubernetes, "the bundle carries")
    return _stage(cluster_run, host, missing)


def _same_version(host: Host, wanted: str, whose: str) -> None:
    """
    Raise `HostError` where a member of the cluster runs another version: that changes node by node, and never back.
    """
    from remote.shell import run

    words = run(host, ("kubelet", "--version"), root=True).stdout.decode(errors="replace").split()
    runs = words[-1].lstrip("v") if words else ""
    if runs and not is_version(runs, wanted):
        step = "python -m flows.upgrade brings nodes to a newer bundle; or name in site.yaml what they run"
        raise HostError(host.name, f"runs Kubernetes {runs}, and {whose} {wanted}", step)


def _by_apt(cluster_run: ClusterRun, host: Host) -> None:
    """Raise `HostError` for a host that apt must not change: a member of another version, or one that a bundle made."""
    from remote.shell import run

    if run(host, ("test", "-e", f"{staging.FOLDER}/stamps"), root=True).exit_code == 0:
        step = (
            "name the bundle in site.yaml again; or reset the node, and remove that folder and its programs in "
            "/usr/local/bin"
        )
        raise HostError(host.name, f"was installed from a bundle, which lies in {staging.FOLDER}", step)
    if cluster_run.facts[host.name].progress == "member":
        _same_version(host, cluster_run.site.settings.kubernetes.version, "site.yaml says")


def _pull_images(cluster_run: ClusterRun, host: Host) -> int:
    """Return how many images had to come, and one more where etcd's own programs came, too."""
    control_plane = cluster_run.site.by_name[host.name].node == "control_plane"
    helper_hosts = (
        images.reference(cluster_run.site, None, "pause"),
        *cni.references(cluster_run.site, cluster_run.bundle, cluster_run.folder),
    )
    wanted = images.wanted(host, kubeadm.version(host), helper_hosts, control_plane=control_plane)
    missing = images.missing(host, wanted)
    if missing and cluster_run.dry_run:
        return len(missing)
    images.pull(host, missing)
    return len(missing) + (images.etcd_programs(host, wanted) if control_plane and not cluster_run.dry_run else 0)


def _stage_images(cluster_run: ClusterRun, host: Host) -> int:
    if cluster_run.bundle is None or cluster_run.folder is None:
        return 0
    pieces = staging.images_for(cluster_run.bundle, cluster_run.site.by_name[host.name].node == "control_plane")
    return _stage(cluster_run, host, staging.missing_images(host, pieces), "images")


def _stage(
    cluster_run: ClusterRun, host: Host, missing: tuple[staging.Piece, ...], kind: Literal["files", "images"] = "files"
) -> int:
    if missing and cluster_run.folder is not None and not cluster_run.dry_run:
        staging.send(host, cluster_run.folder, missing)
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
