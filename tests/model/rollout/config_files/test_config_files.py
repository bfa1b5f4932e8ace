"""Every configuration file that is rendered is accepted by the program that reads it, and a broken one is not."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest
import yaml

from model.rollout.invariants.stack import Stack
from model.rollout.render import MANIFESTS
from tests.model.rollout.config_files.mounted import ConfigFile, config_files
from tests.model.rollout.config_files.reader import Files
from tests.model.rollout.config_files.readers import OF_THE_LAB, READERS, UNREAD
from tests.model.rollout.stacks import SITES, lab, render, rotating, stack

Variants = Mapping[str, tuple[Files, ...]]


@cache
def stacks() -> tuple[Stack, ...]:
    """Return every kind of site, the lab's, and one whose secrets are rotated."""
    return (*map(stack, SITES), render(lab()), rotating())


@cache
def variants() -> Variants:
    """Return the files of each component as the sites have them, what is the same once."""
    found: dict[str, dict[Files, None]] = {}
    for whole in stacks():
        for component, files in _by_component(whole).items():
            found.setdefault(component, {})[files] = None
    return {component: tuple(known) for component, known in found.items()}


def _by_component(whole: Stack) -> Mapping[str, Files]:
    files = sorted(set(config_files(whole)))
    return {
        part.name: mine
        for part in whole.components
        if (mine := tuple(file for file in files if file.component == part.name))
    }


@cache
def names() -> frozenset[str]:
    """Return the names of all files."""
    return frozenset(file.name for known in variants().values() for files in known for file in files)


def of(reader: str) -> dict[str, tuple[Files, ...]]:
    """Return what a reader is given: of each component that has files of its, those that differ in these."""
    reads = READERS[reader].reads
    found: dict[str, tuple[Files, ...]] = {}
    for component, known in variants().items():
        different = {tuple(file for file in files if reads(file.name)): files for files in known}
        if given := tuple(files for mine, files in different.items() if mine):
            found[component] = given
    return found


def readers_of(name: str) -> list[str]:
    """Return who reads a file, and by which pattern nobody does."""
    return [
        *(reader for reader, known in READERS.items() if known.reads(name)),
        *(pattern for pattern in UNREAD if fnmatchcase(name, pattern)),
    ]


def unread(found: Iterable[str]) -> list[str]:
    """Return the files that not exactly one reader, or one reason, is known for."""
    return sorted(name for name in found if len(readers_of(name)) != 1)


def test_every_file_has_one_reader_or_a_reason() -> None:
    assert unread(names()) == []


def test_every_reader_and_every_reason_has_a_file() -> None:
    patterns = [*UNREAD, *(pattern for reader in READERS.values() for pattern in reader.files)]
    assert [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names())] == []


def test_a_new_file_goes_red_until_somebody_reads_it() -> None:
    whole = copy.deepcopy(stack("small"))
    scripts = whole.find("ConfigMap", "matrix", "redis-scripts")
    assert scripts
    scripts["data"]["new.conf"] = "port 1"
    assert unread({file.name for file in config_files(whole)}) == ["redis/redis-scripts/new.conf"]


def test_what_the_lab_proves_is_in_the_lab() -> None:
    there = {file.name for file in config_files(render(lab()))}
    assert {name for name, reason in UNREAD.items() if reason in OF_THE_LAB} <= there


def test_every_template_of_a_file_is_rendered_by_some_site() -> None:
    written = {str(path.relative_to(MANIFESTS)) for path in MANIFESTS.glob("*/files/*.j2")}
    held = {
        f"{component.name}/files/{key}.j2"
        for whole in stacks()
        for kind, part in (("ConfigMap", "data"), ("Secret", "stringData"))
        for component, manifest in whole.of(kind)
        for key in manifest.get(part) or {}
    }
    assert written - held == set()


@pytest.mark.machine
@pytest.mark.parametrize("reader", READERS)
def test_whoever_reads_a_file_accepts_it(reader: str, tmp_path: Path) -> None:
    for component, known in of(reader).items():
        assert list(READERS[reader].complaints(known, tmp_path / component)) == []


# A file, what stands there, and what somebody might write instead.
BROKEN: tuple[tuple[str, str, str], ...] = (
    ("haproxy/haproxy-config/haproxy.cfg", "timeout connect", "timeout conect"),
    ("haproxy/haproxy-config/routes.map", "^", "^("),
    ("redis-proxy/redis-proxy-config/haproxy.cfg", "tcp-check expect string", "tcp-check expects string"),
    ("element-web/element-web-config/nginx.conf", "server_tokens off;", "server_tokens off"),
    ("redis/redis-config/redis.conf", "allkeys-lru", "all-keys-lru"),
    ("redis/redis-config/ask-role", "INFO", "INFOS"),
    ("redis/redis-config/ask-sentinel", "GET-MASTER", "GET-THE-MASTER"),
    ("redis/redis-config/hand-over", "FAILOVER", "FAIL-OVER"),
    ("redis/redis-sentinel-config/sentinel.conf", "sentinel resolve-hostnames", "sentinel resolve-names"),
    ("redis/redis-sentinel-config/sentinel-master.conf", "parallel-syncs", "parallel-sync"),
    ("redis/redis-sentinel-config/ask-role", "AUTH", "AUTHENTICATE"),
    ("redis/redis-sentinel-config/ask-sentinel", "SENTINEL GET", "SENTINELS GET"),
    ("redis/redis-sentinel-scripts/id-redis-sentinel-1", "", "x"),
    ("synapse/synapse-config/homeserver.yaml", "server_name: ", "server_name: ["),
    ("synapse/synapse-config/log.yaml", "logging.StreamHandler", "logging.StreamHandlers"),
    ("synapse/synapse-s3/credentials", "[default]", "[other]"),
    ("synapse/synapse-config/mail-ca.pem", "MII", "mii"),
    ("synapse/synapse-config/prepare.py", "def wait(", "def wait"),
    ("synapse/synapse-media/media_cache.py", "while True:", "while True"),
    ("redis/redis-scripts/master.sh", "done", "od"),
    ("seaweedfs/seaweedfs-scripts/bucket.sh", "fi\n", "\n"),
)


@pytest.mark.machine
@pytest.mark.parametrize(("name", "there", "instead"), BROKEN, ids=[name for name, _, _ in BROKEN])
def test_whoever_reads_a_file_refuses_a_broken_one(name: str, there: str, instead: str, tmp_path: Path) -> None:
    files = next(files for files in variants()[name.partition("/")[0]] if any(file.name == name for file in files))
    (reader,) = readers_of(name)
    assert list(READERS[reader].complaints([tuple(_with(file, name, there, instead) for file in files)], tmp_path))


def _with(file: ConfigFile, name: str, there: str, instead: str) -> ConfigFile:
    if file.name != name:
        return file
    assert there in file.text
    return replace(file, text=file.text.replace(there, instead, 1))


def test_every_reader_has_a_test_in_which_it_goes_red() -> None:
    assert {reader for name, _, _ in BROKEN for reader in readers_of(name)} == set(READERS)


@pytest.mark.parametrize("name", UNREAD)
def test_what_nobody_reads_here_is_of_its_form(name: str) -> None:
    for text in {file.text for files in variants()[name.partition("/")[0]] for file in files if file.name == name}:
        assert _form(name, text)


@pytest.mark.parametrize(("name", "text"), [("a.json", "{"), ("a.toml", "a = ["), ("a.yaml", "a: [")])
def test_what_is_not_of_its_form_is_found(name: str, text: str) -> None:
    with pytest.raises((ValueError, yaml.YAMLError)):
        _form(name, text)


def _form(name: str, text: str) -> object:
    match name.rpartition(".")[2]:
        case "json":
            return json.loads(text)
        case "toml":
            return tomllib.loads(text)
        case "yaml":
            return yaml.safe_load(text)
        case _:
            return text.strip()
