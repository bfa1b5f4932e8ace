"""Make the machine that this runs on hold the files, accounts and units that it should."""

from __future__ import annotations

import subprocess
from pathlib import Path

from model.errors import CommandFailed, HostError
from model.host.hoststate import HostState
from model.host.observed_state import ObservedState
from model.host.state_plan import plan
from remote.command import first_lines
from remote.facts.hoststate import parse, questions
from remote.facts.sections import new_mark
from tasks.hoststate import SECONDS, Enforced, script
from tasks.private_file import write_private

NAME = "controller"


def enforce(desired: HostState, *, dry_run: bool) -> Enforced:
    """
    Bring this machine to the desired state, and look again; it takes root.

    Raises `HostError` where something of it still differs, and `CommandFailed` naming the step.
    """
    change = plan(desired, observe(desired))
    if dry_run or not change:
        return Enforced(change, False)
    _shell(script(change))
    left = plan(desired, observe(desired))
    if left:
        raise HostError(NAME, f"this machine still differs after the change:\n{left.diff}", "look at its journal")
    return Enforced(change, True)


def observe(desired: HostState) -> ObservedState:
    """Look at everything `desired` speaks of; nothing is changed."""
    mark = new_mark()
    return parse(NAME, mark, _shell(f"{questions(desired, mark)}\n"), desired)


def _shell(text: str) -> bytes:
    done = subprocess.run(("sh", "-s"), input=text.encode(), capture_output=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise CommandFailed(NAME, ("sh",), done.returncode, first_lines(done.stderr), "look at this machine's journal")
    return done.stdout


def forget_failures(*units: str) -> None:
    """Let systemd forget how units ended whose files are gone."""
    subprocess.run(("systemctl", "reset-failed", "--", *units), capture_output=True, timeout=SECONDS, check=False)


def make_key(path: Path, user: str, comment: str) -> None:
    """Make an SSH key pair that belongs to a user of this machine; the private one nobody else may read."""
    import pwd

    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key, entry = Ed25519PrivateKey.generate(), pwd.getpwnam(user)
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
    public = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    write_private(path, private, owner=entry.pw_uid)
    # Whoever sees this one finds the whole pair.
    write_private(path.with_suffix(".pub"), public + b" " + comment.encode() + b"\n", mode=0o644, owner=0)
