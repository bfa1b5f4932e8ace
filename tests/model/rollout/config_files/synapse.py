"""Synapse, and what it stands on, asked of the files of its processes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.model.rollout.config_files.mounted import ConfigFile, place
from tests.model.rollout.config_files.reader import Files
from tests.model.rollout.synapse.test_configuration import FILES, complaints
from tests.remote.homeserver import PYTHON

# Other folders that the configuration names; what is in them are secrets' values alone, or nothing yet.
_NAMED = ("/secrets", "/main-secrets", "/media", "/run/synapse", "/ca", "/s3")
# What logging and boto3 do with the files that they are named.
_PROGRAM = """
import json, logging.config, sys
from pathlib import Path

import yaml
from botocore.credentials import SharedCredentialProvider

said = []
for path in json.load(sys.stdin):
    try:
        if path.endswith(".yaml"):
            logging.config.dictConfig(yaml.safe_load(Path(path).read_text()))
        elif SharedCredentialProvider(path).load() is None:
            raise ValueError("it holds no login")
    except Exception as error:
        said.append(f"{path}: {error}: {error.__cause__}")
json.dump(said, sys.stdout)
"""


def processes(variants: Sequence[Files], folder: Path) -> Iterator[str]:
    """Yield what Synapse says of a process's configuration: of main's at every site, of each other text once."""
    asked: dict[str, list[str]] = {}
    known: set[tuple[str, str]] = set()
    for number, files in enumerate(variants):
        here = folder / str(number)
        mine = [replace(file, path=f"/process/{file.source}.yaml") for file in _of_pools(files)]
        place([*(file for file in files if file.source == "synapse-config"), *mine], here, *_NAMED)
        for name, text in FILES.items():
            (here / name).write_text(text)
        for file in mine:
            if file.source == "synapse-main" or (file.source, file.text) not in known:
                known.add((file.source, file.text))
                asked[f"{number}: {file.name}"] = [str(here / "conf/homeserver.yaml"), *_own(here, file)]
    yield from (f"{name}: {said}" for name, said in complaints(_python(), asked).items() if said)


def others(variants: Sequence[Files], folder: Path) -> Iterator[str]:
    """Yield what Python's logging says of its configuration, and boto3 of its login."""
    paths = []
    known = {file.text: file for files in variants for file in files if file.key in ("log.yaml", "credentials")}
    for number, file in enumerate(known.values()):
        place([file], folder / str(number))
        paths.append(f"{folder}/{number}{file.path}")
    command = [str(_python()), "-c", _PROGRAM]
    done = subprocess.run(command, input=json.dumps(paths), capture_output=True, text=True, timeout=200, check=True)
    yield from json.loads(done.stdout)


def _of_pools(files: Files) -> list[ConfigFile]:
    return sorted({file for file in files if file.key == "process.yaml" and file.container == "synapse"})


def _own(folder: Path, file: ConfigFile) -> Iterator[str]:
    """Yield the files that a process of a pool has for itself; the last is made in its pod."""
    yield str(folder / file.path.removeprefix("/"))
    if file.source != "synapse-main":
        path = folder / f"run/synapse/{file.source}.yaml"
        path.write_text(f"worker_name: {file.source}-0\n")
        yield str(path)


def _python() -> Path:
    if not PYTHON.exists():
        pytest.fail("there is no Synapse: run `make synapse`")
    return PYTHON
