"""Secrets by name and key, as secrets.yaml declares them for a site."""

from __future__ import annotations

from collections.abc import Iterable

from model.errors import SelectionError, did_you_mean
from model.rollout.rendered import SecretRef
from model.site.secrets import KeySpec, Realm, SecretSpec
from model.site.site import Site


def secret_spec(site: Site, name: str) -> SecretSpec:
    """Return a secret the site has. Raises `SelectionError`."""
    specs = {spec.name: spec for spec in site.secrets}
    if name in specs:
        return specs[name]
    if any(spec.name == name for spec in site.application.secrets):
        raise SelectionError(
            f"the secret {name} is not needed by the site's features",
            "its `when` in secrets.yaml says which it goes with",
        )
    raise SelectionError(f"secrets.yaml: no secret is called {name}{did_you_mean(name, specs)}")


def key_spec(site: Site, name: str, key: str) -> KeySpec:
    """Return one key of a secret the site has. Raises `SelectionError`."""
    keys = secret_spec(site, name).keys
    if key not in keys:
        raise SelectionError(f"secrets.yaml: the secret {name} has no key {key}{did_you_mean(key, keys)}")
    return keys[key]


def kept_refs(site: Site, realm: Realm | None = None) -> tuple[SecretRef, ...]:
    """Return every value the store is to keep for the site, in the order of secrets.yaml; of one realm or of all."""
    specs = [spec for spec in site.secrets if realm in (None, spec.realm)]
    return tuple(SecretRef(spec.name, key) for spec in specs for key, _ in spec.kept())


def chosen_refs(site: Site, words: Iterable[str]) -> tuple[SecretRef, ...]:
    """Return the values that words name: `NAME` means all of a secret's, `NAME/KEY` one. Raises `SelectionError`."""
    found: list[SecretRef] = []
    for word in words:
        name, slash, key = word.partition("/")
        if slash:
            key_spec(site, name, key)
            found.append(SecretRef(name, key))
        else:
            found += [SecretRef(name, key) for key, _ in secret_spec(site, name).kept()]
    return tuple(dict.fromkeys(found))
