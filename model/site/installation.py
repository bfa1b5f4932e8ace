"""Where a node's programs and images come from, as `site.yaml` says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from model.base import Declared, Name, Text

URL = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~:+/%-]*)?$"
URL_V6 = r"^https?://\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?(/[A-Za-z0-9._~:+/%-]*)?$"
SUITE = r"^(/|[A-Za-z0-9._{}-]+(/[A-Za-z0-9._{}-]+)*/?)$"
PACKAGE = r"^[a-z0-9][a-z0-9+.-]+$"
RUNTIME_VERSION = r"^2(\.[0-9]+){0,2}$"
REGISTRY = r"^[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?$"
REFERENCE = (
    r"^[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]*)+(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})$"
)
REPOSITORY = r"^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$"
# A colon would end the name where a login is sent.
USER = r"^[!-9;-~]{1,128}$"
CODENAME = "{codename}"

Url = Annotated[str, StringConstraints(pattern=f"{URL}|{URL_V6}")]
Reference = Annotated[str, StringConstraints(pattern=REFERENCE)]
ImageName = Literal["pause", "flannel", "kube-router"]

# What nodes run beside what kubeadm itself chooses (API server, controller manager, scheduler, kube-proxy, etcd,
# CoreDNS), where no bundle says it. kubeadm 1.36 and 1.37 expect this pause.
IMAGES: Mapping[ImageName, Reference] = {
    "pause": "registry.k8s.io/pause:3.10.2",
    "flannel": "ghcr.io/flannel-io/flannel:v0.26.7",
    "kube-router": "docker.io/cloudnativelabs/kube-router:v2.1.0",
}


class Repository(Declared):
    """
    A repository of Debian packages, such as pkgs.k8s.io or the organisation's copy of it.

    `key` is its OpenPGP public key, a file relative to the site's folder. A `suite` that ends in `/` is a path within
    the repository and has no components; `{codename}` in it stands for the host's own release, such as bookworm.
    """

    name: Name
    uri: Url
    suite: Annotated[str, StringConstraints(pattern=SUITE)] = "/"
    components: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]+$")], ...] = ()
    key: Text

    @property
    def flat(self) -> bool:
        """Whether its suite is a path, and it has no components."""
        return self.suite.endswith("/")


def api_address(mirror: Url) -> str:
    """Return where the API of a registry begins, without a slash at the end: at the URL's path, or else at `/v2`."""
    address = mirror.rstrip("/")
    return address if urlsplit(address).path else f"{address}/v2"


class RegistryPush(Declared):
    """
    Where derived images are put in a registry: below `folder`, under their publishers' paths.

    `user` logs in by the password that lies alone in `password_file`, relative to the site's folder, which nobody else
    may read; without them no login is needed.
    """

    folder: Annotated[str, StringConstraints(pattern=REPOSITORY)]
    user: Annotated[str, StringConstraints(pattern=USER)] | None = None
    password_file: Text | None = None

    @model_validator(mode="after")
    def _whole(self) -> RegistryPush:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("`user` and `password_file` belong together")
        return self


class Registry(Declared):
    """
    Whom nodes ask for images of a registry, in this order.

    `registry` is its name as references begin with it. A path in a mirror's URL is where its API begins, `/v2`
    included. `ca` is a PEM file relative to the site's folder. `fallback`: the registry itself is asked where no mirror
    has an image. `push`: the first mirror is the site's own registry, and takes derived images.
    """

    registry: Annotated[str, StringConstraints(pattern=REGISTRY)]
    mirrors: tuple[Url, ...] = Field(min_length=1)
    ca: Text | None = None
    fallback: bool = False
    push: RegistryPush | None = None


class Containerd(Declared):
    """
    The package of containerd, and of which of its versions it must be; Debian's own is older than 2 before Debian 14.
    """

    package: Annotated[str, StringConstraints(pattern=PACKAGE)] = "containerd.io"
    version: Annotated[str, StringConstraints(pattern=RUNTIME_VERSION)] = "2"
