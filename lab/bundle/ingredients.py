"""What a bundle's recipe is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.bundle.items import Needed


@dataclass(frozen=True, slots=True)
class Correction:
    """What is written in place of `faulty` in a module's `file`, where it must stand exactly once."""

    file: str
    faulty: str
    correct: str


@dataclass(frozen=True, slots=True)
class GoComponent:
    """
    A folder of lab/bundle/go; its tools.go names the programs, its go.mod the version of `module`.

    `stamps` are variables of the linker: `{version}` without its v, `{major}` and `{minor}` are filled in. `kept` are
    files of the module that the bundle needs beside its programs, `{version}` filled in there too.
    """

    folder: str
    module: str
    stamps: Mapping[str, str] = field(default_factory=dict)
    cgo: bool = False
    corrections: tuple[Correction, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProgramRecipe:
    """What the component's program `built` is called where it runs."""

    component: str
    built: str
    path: str


@dataclass(frozen=True, slots=True)
class Binary:
    """A program that runs on hosts."""

    program: ProgramRecipe
    needed: Needed = "nodes"


@dataclass(frozen=True, slots=True)
class Tools:
    """
    Programs of packages with every library they load.

    `files` are patterns, `trees` folders taken as a whole save what is `without`, `links` further names of a program.
    `wheels` names a lock file of Python packages that are installed first.
    """

    name: str
    packages: tuple[str, ...]
    files: tuple[str, ...]
    links: Mapping[str, str] = field(default_factory=dict)
    trees: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    wheels: str = ""


@dataclass(frozen=True, slots=True)
class ImageAccount:
    """A line of an image's passwd and one of its group."""

    name: str
    uid: int
    gid: int
    home: str = "/nonexistent"


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """A folder of an image, and whose it is."""

    path: str
    uid: int = 0
    gid: int = 0
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class Started:
    """How an image's program is started and stopped, where nobody says otherwise."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    folder: str = ""
    signal: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecipe:
    """
    A container image; `tag` may say `{version}`: that of its component, or of the last tools' first package.

    Layers are the base (unless it is `bare`), each of the `tools`, and on top programs, links, folders and accounts.
    """

    name: str
    tag: str
    needed: Needed
    programs: tuple[ProgramRecipe, ...] = ()
    tools: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[ImageFolder, ...] = ()
    accounts: tuple[ImageAccount, ...] = ()
    started: Started = field(default_factory=Started)
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """
    A chart in a component's module: its `folder`, and the `name` of chart, release and namespace.

    `before` are files of the module that stand in front of its objects, `values` what its publisher sets for the file.
    """

    folder: str
    name: str
    before: tuple[str, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ManifestRecipe:
    """
    Kubernetes objects of the component's module: the files it keeps, one after the other.

    Where they are parts of a `chart`, it is rendered with them.
    """

    name: str
    component: str
    chart: Chart | None = None
    needed: Needed = "application"
