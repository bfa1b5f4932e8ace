"""Whether rendered objects use secrets as secrets.yaml declares them: for whom, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from model.errors import did_you_mean
from model.rollout.rendered import ACCEPTED, RenderedComponent, SecretRef, secrets_in
from model.site.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Misuse:
    """A secret that a component uses otherwise than declared; `field` is what would have to name it, empty: nothing."""

    component: str
    ref: SecretRef
    message: str
    field: Literal["", "consumers", "also_in"] = ""


def misuses(site: Site, rendered: Sequence[RenderedComponent]) -> Iterator[Misuse]:
    """Yield what templates ask for and secrets.yaml does not know, or not for this component or namespace."""
    specs = {spec.name: spec for spec in site.secrets}
    known = [f"{spec.name}/{key}" for spec in site.secrets for key in spec.keys]
    for component, namespace, ref in _uses(rendered):
        spec = specs.get(ref.name)
        if spec is None or ref.key not in spec.keys:
            message = f"{component} uses it, undeclared{did_you_mean(f'{ref.name}/{ref.key}', known)}"
            yield Misuse(component=component, ref=ref, message=message)
        elif component not in spec.consumers:
            message = f"{component} uses it and is not among its consumers: a rotation would leave it out"
            yield Misuse(component=component, ref=ref, message=message, field="consumers")
        elif namespace not in (spec.namespace, *spec.also_in):
            message = f"{component} brings it into {namespace}, which is neither its namespace nor among `also_in`"
            yield Misuse(component=component, ref=ref, message=message, field="also_in")


def _uses(rendered: Sequence[RenderedComponent]) -> Iterator[tuple[str, str | None, SecretRef]]:
    for component in rendered:
        for manifest in component.objects:
            # The value that is accepted beside a key's own while that is rotated is declared with it.
            declared = {SecretRef(ref.name, ref.key.removesuffix(ACCEPTED)) for ref in secrets_in(manifest)}
            for ref in sorted(declared):
                yield component.name, manifest["metadata"].get("namespace"), ref
