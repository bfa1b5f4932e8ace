"""Where what a bundle holds comes from, by its publishers' own addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from model import document
from model.base import Declared, Text
from model.bundle.items import Digest, Mode, Needed, Suite, Target
from model.document.places import located
from model.errors import BundleError, FieldError, SchemaErrors
from model.site.mistakes import wrong_fields

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+(/\S*)?$")]
Minor = Annotated[str, StringConstraints(pattern=r"^1\.\d{2}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9][A-Za-z0-9.+-]*$")]
ImageName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.:-]+(/[a-z0-9]+([._-][a-z0-9]+)*)+$")]
Member = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_{][A-Za-z0-9_.{}-]*(/[A-Za-z0-9_{][A-Za-z0-9_.{}-]*)*$")
]
Network = Literal["flannel", "calico"]
APPLICATION: Needed = "application"


class PublishedProgram(Declared):
    """A program of hosts; `member` is its name in the archive, empty where the file is the program itself."""

    target: Target
    member: Member | Literal[""] = ""
    needed: Needed = "nodes"
    mode: Mode = "0755"


class PublishedFile(Declared):
    """
    A publisher's file and the publisher's own list of its sha256.

    `component` names whose version it has; `{version}` is that, `{architecture}` the hosts'.
    """

    component: Text
    address: Address
    checksum: Address
    programs: Annotated[tuple[PublishedProgram, ...], Field(min_length=1)]


class PublishedImage(Declared):
    """A container image; `network` names the pod network it is for, none where every cluster needs it."""

    name: ImageName
    component: Text
    tag: Text
    needed: Needed = "nodes"
    network: Network | None = None


class Manifest(Declared):
    """
    A publisher's file of Kubernetes objects; every image it names is part of the bundle, for `needed`.

    One for the application has the version of the image that images.yaml calls `component`, and brings no image:
    images.yaml names them all.
    """

    name: Text
    component: Text
    address: Address
    needed: Needed = "nodes"
    network: Network | None = None


class AptArchive(Declared):
    """One of a suite's sources, as apt knows it."""

    address: Address
    suite: Text
    components: Annotated[tuple[Text, ...], Field(min_length=1)] = ("main",)


class DebianSources(Declared):
    """
    Packages and where they come from, by suite; `keyring` holds the keys that may sign, relative to the sources' own
    folder.
    """

    keyring: Text = "/usr/share/keyrings/debian-archive-keyring.gpg"
    packages: Annotated[tuple[Text, ...], Field(min_length=1)]
    suites: Annotated[dict[Suite, tuple[AptArchive, ...]], Field(min_length=1)]


class Sources(Declared):
    """
    A file of sources.

    `versions`: by minor version of Kubernetes, each component's. `python_index`: where wheels of derived images are
    looked up (PEP 503). `plain_http`: hosts that may be asked without TLS. `registries`: the address of a registry's
    interface, where it is not https at the name itself. `pins`: sha256 by address or image, in addition to what the
    publisher says.
    """

    schema_: Literal["matrix-fleet/sources/1"] = Field(alias="schema")
    kubernetes: Minor
    versions: Annotated[dict[Minor, dict[Text, Version]], Field(min_length=1)]
    files: tuple[PublishedFile, ...]
    images: tuple[PublishedImage, ...]
    manifests: tuple[Manifest, ...] = ()
    debian: DebianSources
    python_index: Address | None = None
    plain_http: tuple[Text, ...] = ()
    registries: dict[Text, Address] = {}
    pins: dict[Text, Digest] = {}

    @model_validator(mode="after")
    def _complete(self) -> Sources:
        if self.kubernetes not in self.versions:
            raise ValueError(f"kubernetes is {self.kubernetes}, and versions has no {self.kubernetes}")
        named = {"kubernetes", *(file.component for file in self.files), *(image.component for image in self.images)}
        named |= {manifest.component for manifest in self.manifests if manifest.needed != APPLICATION}
        for minor, known in self.versions.items():
            if unknown := sorted(named - set(known)):
                raise ValueError(f"versions of {minor} lack {', '.join(unknown)}")
            if not known["kubernetes"].startswith(f"{minor}."):
                raise ValueError(f"versions of {minor} have kubernetes {known['kubernetes']}")
        return self


def load_sources(path: Path) -> Sources:
    """Read a file of sources; raises SchemaErrors with every wrong field, BundleError where there is no such file."""
    try:
        value = document.read(path)
    except FileNotFoundError:
        raise BundleError(f"{path} is missing", "name a file of sources with --sources") from None
    except document.DocumentError as error:
        raise SchemaErrors([FieldError(path.name, error.path, "", error.message, error.fix)]) from error
    try:
        return _ADAPTER.validate_python(_tuples(value))
    except ValidationError as failure:
        raise SchemaErrors(located(wrong_fields(path.name, _ADAPTER, value, failure), path.parent)) from failure


def _tuples(value: object) -> object:
    """Strict fields are tuples, and YAML has only lists."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


_ADAPTER = TypeAdapter(Sources)
