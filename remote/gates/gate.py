"""What a gate is given and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from model.report.outcome import Status
from model.rollout.rendered import RenderedComponent, SecretValue
from model.site.site import Site

if TYPE_CHECKING:
    from nornir.core import Nornir

    from remote.kube import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class GateContext:
    """
    What gates work with.

    `secret(name, key)` returns a value of the site's store; `options` are words a person gave (`every`, `for`).
    """

    site: Site
    nr: Nornir
    cluster: Cluster
    rendered: Sequence[RenderedComponent]
    secret: SecretValue
    folder: Path
    say: Callable[[str], None]
    options: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """
    What a gate saw. `findings` are sentences, one a thing that is wrong; `figures` numbers by name; `why` says in one
    sentence what was proven, or why it could not be. `interrupted` says that somebody ended it before its time.
    """

    status: Status
    why: str
    findings: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    next_step: str = ""
    interrupted: bool = False


def concluded(
    findings: Sequence[str],
    proven: str,
    *,
    figures: Mapping[str, float] | None = None,
    next_step: str = "",
) -> GateResult:
    """Return `proven` where nothing was found, and otherwise what was, the first of it as the reason."""
    if not findings:
        return GateResult(status=Status.OK, why=proven, figures=figures or {})
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return GateResult(
        status=Status.DRIFT, why=f"{findings[0]}{more}", findings=tuple(findings), figures=figures or {},
        next_step=next_step,
    )  # fmt: skip
