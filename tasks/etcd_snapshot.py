"""Take snapshots of etcd, copy them between control planes, and restore one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.checkout import HOST_SCRIPTS
from model.errors import CommandFailed, CommandTimeout, ProtocolError
from remote.command import first_lines
from remote.facts.etcd import ETCDCTL
from remote.facts.node import UNIT

if TYPE_CHECKING:
    from nornir.core.inventory import Host

FOLDER = "/var/lib/matrix-fleet/etcd-snapshots"
SCRIPT = HOST_SCRIPTS / "etcd-restore.sh"
SECONDS = 600.0
_PIECE = 1 << 20
_LIST = f'for file in {FOLDER}/*.db; do [ ! -f "$file" ] || stat -c \'%s %Y %n\' "$file"; done'
_START = f"""umask 077
mkdir -p /run/matrix-fleet && cat >/run/matrix-fleet/restore.sh || exit 1
exec systemd-run --quiet --wait --collect --pipe --unit={UNIT.removesuffix(".service")} \\
    --property=RuntimeMaxSec={SECONDS:.0f} \\
    /bin/sh /run/matrix-fleet/restore.sh "$@"
"""
Write = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot on a control plane: bytes, seconds since 1970."""

    name: str
    size: int
    taken: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot just taken, and verified by reading all of it."""

    name: str
    size: int
    sha256: str
    revision: int
    keys: int


def kept(host: Host) -> tuple[Snapshot, ...]:
    """Return the snapshots that a control plane keeps, oldest first."""
    from remote.shell import run

    lines = run(host, ("sh", "-c", _LIST), root=True).check(host).stdout.decode().splitlines()
    rows = [line.split(" ", 2) for line in lines]
    snapshots = [Snapshot(path.rpartition("/")[2], int(size), int(taken)) for size, taken, path in rows]
    return tuple(sorted(snapshots, key=lambda snapshot: (snapshot.taken, snapshot.name)))


def take(host: Host, name: str) -> Taken:
    """
    Let the member on a control plane write a snapshot and verify it there.

    Raises `CommandFailed`; nothing is left of one that is not whole.
    """
    from remote.shell import run

    path = shlex.quote(f"{FOLDER}/{name}")
    script = (
        f"umask 077 && mkdir -p {FOLDER} && rm -f {path}.part && trap 'rm -f {path}.part' EXIT && "
        f"{shlex.join(ETCDCTL)} --command-timeout={SECONDS:.0f}s snapshot save {path}.part >/dev/null && "
        f"etcdutl snapshot status {path}.part -w json && stat -c %s {path}.part && sha256sum <{path}.part && mv "
        f"-f {path}.part {path}"
    )
    done = run(host, ("sh", "-c", script), root=True, timeout=SECONDS)
    if done.exit_code:
        detail = first_lines(done.stderr)
        raise CommandFailed(host.name, ("etcdctl", "snapshot", "save"), done.exit_code, detail, "look at its disk")
    return parse_taken(host.name, name, done.stdout.decode("utf-8", "replace"))


def parse_taken(host: str, name: str, answer: str) -> Taken:
    """Read etcdutl's account of a snapshot, the file's size, and its digest."""
    try:
        account, size, digest = answer.strip().splitlines()
        status = json.loads(account)
        # What etcdutl calls the size leaves out the digest at the file's end.
        return Taken(name, int(size), digest.split()[0], status["revision"], status["totalKey"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ProtocolError(host, f"the account of the snapshot cannot be understood: {error}") from error


def digest(host: Host, name: str) -> str:
    """Return the sha256 of a snapshot that a control plane keeps."""
    from remote.shell import run

    done = run(host, ("sha256sum", f"{FOLDER}/{name}"), root=True, timeout=SECONDS).check(host)
    return done.stdout.decode().split()[0]


def fetch(host: Host, name: str, size: int, write: Write) -> None:
    """Read a snapshot from a control plane, a piece at a time."""
    from remote.shell import start

    stream = start(host, ("cat", f"{FOLDER}/{name}"), root=True)
    try:
        left = size
        while left:
            piece = stream.read_exactly(min(_PIECE, left), SECONDS)
            write(piece)
            left -= len(piece)
    except EOFError as error:
        raise ProtocolError(host.name, f"{name} ended early: {error}", "look at its disk") from None
    finally:
        stream.close()


def lay_down(host: Host, name: str, sha256: str, feed: Callable[[Write], None]) -> None:
    """Write a snapshot to a control plane; it counts once its digest was found there."""
    from remote.shell import start

    path = shlex.quote(f"{FOLDER}/{name}")
    script = (
        f"umask 077 && mkdir -p {FOLDER} && cat >{path}.part && echo '{sha256}  {FOLDER}/{name}.part' | "
        f"sha256sum --check --status && mv -f {path}.part {path} || {{ rm -f {path}.part; exit 1; }}"
    )
    stream = start(host, ("sh", "-c", script), root=True)
    try:
        feed(stream.write)
        stream.end_input()
        code = stream.exit_code(SECONDS)
        if code is None:
            raise CommandTimeout(host.name, ("keep", name), SECONDS)
        if code:
            raise CommandFailed(
                host.name, ("keep", name), code, stream.complaint() or "it arrived damaged", "look at its disk"
            )
    finally:
        stream.close()


def restore(host: Host, name: str, member: str, peer_url: str, token: str) -> None:
    """
    Make the control plane the only member of a new cluster with a snapshot's content; its former data stays beside it.

    It ends by itself what was begun, whatever becomes of the controller. Raises `CommandFailed` naming the step.
    """
    from remote.shell import run

    argv = ("sh", "-c", _START, "sh", f"{FOLDER}/{name}", member, peer_url, token)
    done = run(host, argv, stdin=SCRIPT.read_bytes(), root=True, timeout=SECONDS)
    if done.exit_code:
        detail = first_lines(done.stderr or done.stdout)
        raise CommandFailed(
            host.name, ("restore", name), done.exit_code, detail, f"journalctl -u {UNIT} there; run again"
        )


def stand_alone(host: Host) -> None:
    """
    Let the endpoint's balancer on a control plane know that one alone, until the endpoint's phase writes its
    configuration anew.

    Others that come back hold the former cluster, and must answer nobody.
    """
    from remote.shell import run

    script = (
        "file=/etc/haproxy/haproxy.cfg; grep -qs 'Written by matrix-fleet' $file || exit 0; "
        'sed -i "/^ *server /{/^ *server $1 /!d}" $file && systemctl reload haproxy.service'
    )
    run(host, ("sh", "-c", script, "sh", host.name), root=True).check(host)
