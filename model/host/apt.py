"""What apt reads on a node: repositories, and which versions may be installed from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from model.host.debian_version import expression
from model.site.installation import CODENAME, Registry, Repository
from model.site.settings import Kubernetes

OF_KUBERNETES = ("kubelet", "kubeadm", "kubectl")
# Plugins and crictl have versions of their own, and come from the same repository.
BESIDE = ("kubernetes-cni", "cri-tools")
KEYRINGS = "/etc/apt/keyrings"
SOURCES = "/etc/apt/sources.list.d"
PREFERENCES = "/etc/apt/preferences.d/matrix-fleet"
PREFIX = "matrix-fleet-"
# Above 1000 a version is installed even where a newer one is.
_WANTED, _NEVER = 1001, -1
_MINOR = re.compile(r"(?:^|[/:])v(1\.[0-9]{2})(?:/|$)")
# The one registry whose references name another host.
_SERVED_BY = {"docker.io": "registry-1.docker.io"}
# Which nobody reaches once a site's egress is closed.
PUBLIC = frozenset(
    {
        "deb.debian.org",
        "security.debian.org",
        "pkgs.k8s.io",
        "download.docker.com",
        "registry.k8s.io",
        "ghcr.io",
        "quay.io",
        "docker.io",
        "registry-1.docker.io",
    }
)


def packages(kubernetes: Kubernetes) -> tuple[str, ...]:
    """Return what is installed on every node."""
    return (kubernetes.containerd.package, *OF_KUBERNETES, *BESIDE)


def versions(kubernetes: Kubernetes) -> Mapping[str, str]:
    """Return the wished version by package: its first numbers, such as 1.36 or 1.36.3."""
    return {
        kubernetes.containerd.package: kubernetes.containerd.version,
        **dict.fromkeys(OF_KUBERNETES, kubernetes.version),
    }


def preferences(wanted: Mapping[str, str]) -> str:
    """Return pins that admit the wished versions and forbid all others, newer ones too."""
    stanzas = []
    for version in dict.fromkeys(wanted.values()):
        names = " ".join(name for name, wished in wanted.items() if wished == version)
        for pin, priority in ((f"/{expression(version)}/", _WANTED), ("*", _NEVER)):
            stanzas.append(f"Package: {names}\nPin: version {pin}\nPin-Priority: {priority}\n")
    explanation = "Explanation: Written by matrix-fleet: what runs containers has the version that site.yaml names.\n"
    return explanation + "\n".join(stanzas)


def source(repository: Repository, codename: str) -> str:
    """Return a repository as a deb822 file of apt's; `codename` is the host's release."""
    fields = {
        "Types": "deb",
        "URIs": repository.uri,
        "Suites": repository.suite.replace(CODENAME, codename),
        "Components": " ".join(repository.components),
        "Signed-By": f"{KEYRINGS}/{PREFIX}{repository.name}.asc",
    }
    lines = "".join(f"{name}: {value}\n" for name, value in fields.items() if value)
    return f"# Written by matrix-fleet.\n{lines}"


def minor_named(uri: str) -> str:
    """Return the minor version of Kubernetes that a repository's address names; empty where it names none."""
    match = _MINOR.search(urlsplit(uri).path)
    return match[1] if match else ""


def place(url: str) -> tuple[str, int]:
    """Return host and port of a URL; one without a scheme is http."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    return parts.hostname or url, parts.port or {"http": 80, "https": 443}.get(parts.scheme, 80)


def asked(registries: tuple[Registry, ...], references: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """
    Return host and port of every registry that is asked for the images: mirrors, and those that have none or may be
    asked, too.
    """
    mirrored = {registry.registry: registry for registry in registries}
    names = dict.fromkeys(reference.partition("/")[0] for reference in references)
    endpoints: list[tuple[str, int]] = []
    for name in names:
        registry = mirrored.get(name)
        endpoints += [place(url) for url in registry.mirrors] if registry else []
        if registry is None or registry.fallback:
            endpoints.append(place(f"https://{_SERVED_BY.get(name, name)}"))
    return tuple(dict.fromkeys(endpoints))
