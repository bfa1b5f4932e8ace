"""Bring a node to the versions of another bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from model.bundle.bundle import Bundle
from model.bundle.items import BinaryItem
from model.checkout import HOST_SCRIPTS
from model.errors import CommandFailed, HostError
from model.site.site import Site
from remote.facts.node import UNIT
from tasks import staging
from tasks.render import render
from tasks.staging import Piece

if TYPE_CHECKING:
    from nornir.core.inventory import Host

SCRIPT = HOST_SCRIPTS / "node-upgrade.sh"
NEXT = f"{staging.FOLDER}/next"
LOG = "/var/lib/matrix-fleet/upgrade.log"
SECONDS = 1800.0
Kind = Literal["apply", "node"]
# Our Corefile uses `view`, of which kubeadm's migration knows nothing; it is applied again afterwards.
_OWN_DNS = "CoreDNSUnsupportedPlugins"
# The script comes first on standard input, of as many bytes as the first word says, then kubeadm's configuration.
_START = f"""umask 077
mkdir -p /run/matrix-fleet "{LOG.rpartition("/")[0]}" || exit 1
head -c "$1" >/run/matrix-fleet/upgrade.sh && cat >/run/matrix-fleet/upgrade.yaml || exit 1
shift
: >{LOG}
systemctl reset-failed --quiet {UNIT} 2>/dev/null
exec systemd-run --quiet --wait --collect --unit={UNIT.removesuffix(".service")} \\
    --property=RuntimeMaxSec={SECONDS:.0f} \\
    --property=StandardOutput=append:{LOG} --property=StandardError=append:{LOG} \\
    /bin/sh /run/matrix-fleet/upgrade.sh "$@"
"""


def stage(host: Host, folder: Path, bundle: Bundle, suite: str, *, control_plane: bool) -> int:
    """
    Bring images and files to a node; programs lie beside those that run until it is the node's turn. Return how many
    came.

    Raises `HostError` naming what it lacks afterwards.
    """
    images = staging.missing_images(host, staging.images_for(bundle, control_plane))
    files = staging.missing_files(host, _aside(host, bundle, suite, control_plane))
    for pieces in (images, files):
        if pieces:
            staging.send(host, folder, pieces)
    left = (*staging.missing_images(host, images), *staging.missing_files(host, files)) if images or files else ()
    if left:
        names = ", ".join(piece.item.name for piece in left)
        raise HostError(host.name, f"after staging it still lacks {names}", "look at its disk and its journal")
    return len(images) + len(files)


def _aside(host: Host, bundle: Bundle, suite: str, control_plane: bool) -> tuple[Piece, ...]:
    """Return what the node has not in its place yet, programs to be laid beside it."""
    missing = staging.missing_files(host, staging.files_for(bundle, suite, control_plane))
    return tuple(_beside(piece) for piece in missing)


def _beside(piece: Piece) -> Piece:
    return replace(piece, target=f"{NEXT}/{piece.sha256}") if isinstance(piece.item, BinaryItem) else piece


def carry_out(host: Host, site: Site, bundle: Bundle, kind: Kind) -> None:
    """
    Let the node upgrade itself with what is staged: kubeadm, the control plane, kubelet, the container runtime.

    It ends by itself what was begun, whatever becomes of the controller. Raises `CommandFailed` with kubeadm's last
    words.
    """
    from remote.shell import run

    control_plane = site.by_name[host.name].node == "control_plane"
    pieces = staging.files_for(bundle, "", control_plane)
    missing = staging.missing_files(host, [piece for piece in pieces if isinstance(piece.item, BinaryItem)])
    accepted = [*site.settings.kubernetes.accepted_errors, _OWN_DNS]
    config = render("node/kubeadm-upgrade.yaml", version=bundle.kubernetes, accepted=accepted)
    script = SCRIPT.read_bytes()
    argv = ("sh", "-c", _START, "sh", str(len(script)), kind, *words(missing))
    done = run(host, argv, stdin=script + config.encode(), root=True, timeout=SECONDS)
    if done.exit_code:
        raise CommandFailed(
            host.name, ("kubeadm", "upgrade", kind), done.exit_code, _last_words(host), f"read {LOG} there"
        )


def words(pieces: Sequence[Piece]) -> tuple[str, ...]:
    """Return the script's arguments: a program each."""
    return tuple(
        f"{piece.sha256}:{piece.item.mode}:{piece.target}" for piece in pieces if isinstance(piece.item, BinaryItem)
    )


def _last_words(host: Host) -> str:
    from remote.shell import run

    lines = run(host, ("tail", "-n", "40", LOG), root=True).stdout.decode(errors="replace").splitlines()
    # kubeadm marks what its own look found; without such a mark the end of the log speaks.
    errors = [line.strip() for line in lines if "[ERROR" in line]
    errors = errors or [line.strip() for line in lines if "error" in line.lower() or line.startswith("could not")]
    return "; ".join((errors or [line.strip() for line in lines if line.strip()])[-4:])[:700] or "it said nothing"
