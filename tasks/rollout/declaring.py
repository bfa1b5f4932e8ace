"""Rendered objects as they are sent: secrets filled in, pods marked with the hash of what they mount."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from model.errors import SiteError
from model.kubernetes.manifests import Manifest
from model.rollout.fill import fill
from model.rollout.rendered import RenderedComponent, SecretRef, SecretValue
from model.rollout.restart import Mounted, keyed_hash, with_hash
from tasks.rollout.planning import DeclaredObject

HASH_KEY = ("rollout-hash", "key")


class Declaring:
    """Components as they are sent."""

    def __init__(self, secret: SecretValue) -> None:
        self._secret = secret
        self._key = secret(*HASH_KEY)
        self._contents: dict[Mounted, Manifest] = {}
        self._filled: dict[str, tuple[Manifest, ...]] = {}
        self._declared: dict[str, tuple[DeclaredObject, ...]] = {}

    def fill(self, components: Iterable[RenderedComponent], needed: Collection[str] | None = None) -> None:
        """
        Take note of components, all of them before `declared` is asked: pods may mount what another brings.

        Raises `SiteError` where one of the `needed` (None: any) holds a secret without a value; others are left out.
        """
        for rendered in components:
            try:
                filled = tuple(fill(manifest, self._value) for manifest in rendered.objects)
            except SiteError:
                if needed is None or rendered.name in needed:
                    raise
                continue
            self._filled[rendered.name] = filled
            for manifest in filled:
                if manifest["kind"] in ("ConfigMap", "Secret"):
                    meta = manifest["metadata"]
                    self._contents[manifest["kind"], meta.get("namespace") or "", meta["name"]] = manifest

    def declared(self, component: str) -> tuple[DeclaredObject, ...]:
        """Return a component's objects as they are sent, in order; none of one that the site has no longer."""
        if component not in self._declared:
            hashed = [with_hash(manifest, self._contents, self._key) for manifest in self._filled.get(component, ())]
            self._declared[component] = tuple(
                DeclaredObject(manifest=manifest, digest=keyed_hash(manifest, self._key)) for manifest in hashed
            )
        return self._declared[component]

    def digest(self, components: Sequence[str]) -> str:
        """Return the keyed hash of what several components declare together; those that are not there are left out."""
        there = sorted(name for name in components if name in self._filled)
        return keyed_hash({name: [entry.digest for entry in self.declared(name)] for name in there}, self._key)

    def _value(self, ref: SecretRef) -> bytes:
        return self._secret(ref.name, ref.key)
