"""The keys of the deployer and the hosts. As old as the emitted site, so that known hosts stay known."""

from __future__ import annotations

from collections.abc import Iterable

from lab.commands import call
from lab.instance import Instance


def make(instance: Instance, hosts: Iterable[str]) -> None:
    """Make the keys that do not exist yet: one for the deployer, one for each host."""
    instance.keys.mkdir(parents=True, exist_ok=True)
    instance.keys.chmod(0o700)
    for name in (instance.key.name, *hosts):
        path = instance.keys / name
        if not path.with_suffix(".pub").exists():
            draft = path.with_name(f".{name}.new")
            draft.unlink(missing_ok=True)
            call(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@lab", "-f", str(draft)))
            draft.replace(path)
            draft.with_suffix(".new.pub").replace(path.with_suffix(".pub"))
