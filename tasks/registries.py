"""Whom a node's containerd asks for images, in place of the registry that a reference names."""

from __future__ import annotations

import json
from collections.abc import Iterator

from model.errors import SiteError
from model.host.hoststate import File, HostState
from model.site.installation import Registry, api_address
from model.site.site import Site
from tasks.images import CERTS

_CA = "matrix-fleet-ca.crt"
_DOCKER = "registry-1.docker.io"


def desired(site: Site) -> HostState:
    """
    Return a folder for each registry that has mirrors; containerd reads them anew at each pull.

    Raises `SiteError` for an authority that cannot be read.
    """
    files = [file for registry in site.settings.kubernetes.registries for file in _folder(site, registry)]
    return HostState(files=tuple(files), swept=(f"{CERTS}/*/hosts.toml", f"{CERTS}/*/{_CA}"))


def _folder(site: Site, registry: Registry) -> Iterator[File]:
    folder = f"{CERTS}/{registry.registry}"
    if registry.ca is not None:
        try:
            yield File(f"{folder}/{_CA}", (site.folder / registry.ca).read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SiteError(f"site.yaml: kubernetes.registries: {registry.ca} cannot be read: {error}") from None
    yield File(f"{folder}/hosts.toml", hosts(registry, f"{folder}/{_CA}" if registry.ca else ""))


def hosts(registry: Registry, ca: str = "") -> str:
    """Return containerd's hosts.toml. Who stands at its top is asked last: the registry itself, or the last mirror."""
    origin = _DOCKER if registry.registry == "docker.io" else registry.registry
    before = registry.mirrors if registry.fallback else registry.mirrors[:-1]
    if registry.fallback:
        lines = ["# Written by matrix-fleet.", f"server = {json.dumps(f'https://{origin}')}"]
    else:
        lines = ["# Written by matrix-fleet.", *_host("server = ", registry.mirrors[-1], ca)]
    for url in before:
        lines += ["", f"[host.{json.dumps(url)}]", *(f"  {line}" for line in _host("", url, ca))]
    return "\n".join(lines) + "\n"


def _host(word: str, url: str, ca: str) -> Iterator[str]:
    if word:
        yield f"{word}{json.dumps(url)}"
    yield 'capabilities = ["pull", "resolve"]'
    if ca and url.startswith("https:"):
        yield f"ca = {json.dumps(ca)}"
    if api_address(url) == url.rstrip("/"):
        # Else containerd asks below `/v2`, as `api_address` says.
        yield "override_path = true"
