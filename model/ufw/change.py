"""What must be done to ufw's chains, files and flag, and only to them, to get from one state to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from model.ufw.chains import same_rule
from model.ufw.kernel import BUILTIN, UfwKernel
from model.ufw.state import FILES, UfwState

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class KernelChange:
    """
    One family's change.

    `restore` is for `iptables-restore --noflush`; then jumps (chain, rule) to take away, and (chain, place, rule) to
    put back, place 0 for the end, then chains to take away; then the table, if `drops_table` and nobody else uses it.
    Jumps to be taken away may already be gone when it is carried out.
    """

    restore: str = ""
    removed_jumps: Pairs = ()
    returned_jumps: tuple[tuple[str, int, str], ...] = ()
    removed_chains: tuple[str, ...] = ()
    drops_table: bool = False

    def __bool__(self) -> bool:
        return bool(self.restore)


@dataclass(frozen=True)
class UfwChange:
    """Kernel by IP version, new texts by path (None: no such file), and the boot flag of ufw's unit (None: stays)."""

    kernel: Mapping[int, KernelChange] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    unit_enabled: bool | None = None

    def __bool__(self) -> bool:
        return any(self.kernel.values()) or bool(self.files) or self.unit_enabled is not None


def change(now: UfwState, then: UfwState) -> UfwChange:
    """Return what leads from one state to the other; nothing where they are the same."""
    kernel = {version: kernel_change(now.kernel[version], then.kernel[version]) for version in (4, 6)}
    files = {path: then.files.get(path) for path in FILES if now.files.get(path) != then.files.get(path)}
    flag = then.unit_enabled if then.unit_enabled != now.unit_enabled else None
    return UfwChange({version: part for version, part in kernel.items() if part}, files, flag)


def kernel_change(now: UfwKernel, then: UfwKernel) -> KernelChange:
    """
    Return one family's change: chains that differ are emptied and filled in one transaction, others are not mentioned.
    """
    if now.same(then):
        return KernelChange()
    policies = [name for name in BUILTIN if now.policies.get(name, "ACCEPT") != then.policies.get(name, "ACCEPT")]
    chains = then.differing(now)
    moved = now.moved(then)
    gone = tuple(name for name in now.chains if name not in then.chains)
    lines = ["*filter"]
    lines += [f":{name} {then.policies.get(name, 'ACCEPT')} [0:0]" for name in policies]
    lines += [f":{name} - [0:0]" for name in (*chains, *gone)]
    removed: list[tuple[str, str]] = []
    for name in moved:
        kept = _common_start(now.jumps.get(name, ()), then.jumps.get(name, ()), exact=now.normal and then.normal)
        stale = now.jumps.get(name, ())[kept:]
        if then.jumps.get(name):
            lines += [f"-D {name} {rule}" for rule in stale]
            lines += [f"-A {name} {rule}" for rule in then.jumps[name][kept:]]
        else:
            removed += [(name, rule) for rule in stale]
    lines += [f"-A {name} {rule}" for name in chains for rule in then.chains[name]]
    text = "\n".join([*lines, "COMMIT", ""])
    return KernelChange(text, tuple(removed), removed_chains=gone, drops_table=not then.policies)


def undo(before: UfwState, after: UfwState) -> UfwChange:
    """
    Return what brings `before` back wherever between it and `after` the host stands: it may be carried out at any
    point, twice too.
    """
    kernel = {
        version: _undo_kernel(before.kernel[version], after.kernel[version])
        for version in (4, 6)
        if not before.kernel[version].same(after.kernel[version])
    }
    files = {path: before.files.get(path) for path in FILES if before.files.get(path) != after.files.get(path)}
    flag = before.unit_enabled if before.unit_enabled != after.unit_enabled else None
    return UfwChange(kernel, files, flag)


def _undo_kernel(first: UfwKernel, second: UfwKernel) -> KernelChange:
    gone = tuple(name for name in second.chains if name not in first.chains)
    moved = first.moved(second)
    lines = ["*filter", *(f":{name} {first.policies.get(name, 'ACCEPT')} [0:0]" for name in BUILTIN)]
    lines += [f":{name} - [0:0]" for name in (*first.chains, *gone)]
    lines += [f"-A {name} {rule}" for name, rules in first.chains.items() for rule in rules]
    every = {name: dict.fromkeys((*first.jumps.get(name, ()), *second.jumps.get(name, ()))) for name in moved}
    return KernelChange(
        "\n".join([*lines, "COMMIT", ""]),
        tuple((name, rule) for name in moved for rule in every[name]),
        tuple((name, place, rule) for name in moved for place, rule in _placed(first, name)),
        gone,
        not first.policies,
    )


def _placed(kernel: UfwKernel, chain: str) -> Iterator[tuple[int, str]]:
    rules = kernel.jumps.get(chain, ())
    yield from zip(kernel.places.get(chain) or (0,) * len(rules), rules, strict=True)


def _common_start(now: tuple[str, ...], then: tuple[str, ...], *, exact: bool) -> int:
    count = 0
    for first, second in zip(now, then, strict=False):
        if not same_rule(first, second, exact=exact):
            break
        count += 1
    return count
