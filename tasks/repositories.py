"""What apt on a node has to know: where packages come from, whose signature they carry, which versions."""

from __future__ import annotations

from model.errors import SiteError
from model.host import apt
from model.host.hoststate import File, HostState
from model.host.openpgp import armored
from model.site.site import Site


def desired(site: Site, codename: str) -> HostState:
    """
    Return repositories, their keys, pins and packages of a node; `codename` is its release of Debian.

    Raises `SiteError` for a key that cannot be read or is none.
    """
    kubernetes = site.settings.kubernetes
    files = [
        file
        for repository in kubernetes.repositories
        for file in (
            File(f"{apt.KEYRINGS}/{apt.PREFIX}{repository.name}.asc", _key(site, repository.key)),
            File(f"{apt.SOURCES}/{apt.PREFIX}{repository.name}.sources", apt.source(repository, codename)),
        )
    ]
    wanted = apt.versions(kubernetes)
    return HostState(
        packages=apt.packages(kubernetes),
        versions=wanted,
        files=(*files, File(apt.PREFERENCES, apt.preferences(wanted))),
        swept=(f"{apt.KEYRINGS}/{apt.PREFIX}*", f"{apt.SOURCES}/{apt.PREFIX}*"),
        held=apt.packages(kubernetes),
    )


def _key(site: Site, path: str) -> str:
    try:
        return armored((site.folder / path).read_bytes())
    except OSError as error:
        raise SiteError(f"site.yaml: kubernetes.repositories: {path}: {error.strerror}") from None
    except ValueError as error:
        raise SiteError(f"site.yaml: kubernetes.repositories: {path} {error}") from None
