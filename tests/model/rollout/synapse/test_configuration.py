"""What each process of Synapse is given is accepted by Synapse itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from model.rollout.rendered import RenderedComponent
from model.rollout.synapse.misrouting import misrouted
from model.rollout.synapse.processes import MAIN, Process
from model.rollout.synapse.routes import difference, read
from model.rollout.synapse.routing import routing
from model.rollout.synapse.settings import known_settings
from tests.model.rollout.synapse.synapse_sites import VERSION, rendered, running, site, table

PYTHON = Path(sys.prefix) / "synapse/bin/python"
APPS = Path(__file__).parents[4] / "apps"
PLACES = re.compile(r"(?<=[ :])/(secrets|main-secrets|conf|run/synapse|media|ca)\b")
FILES = {
    "secrets/signing.key": f"ed25519 a_test {'A' * 43}\n",
    "secrets/macaroon_secret_key": "m",
    "secrets/form_secret": "f",
    "secrets/worker_replication_secret": "w",
    "secrets/redis_password": "r",
    "main-secrets/registration_shared_secret": "s",
}
pytestmark = pytest.mark.machine


@pytest.fixture(scope="module")
def synapse() -> Path:
    if not PYTHON.exists():
        pytest.fail("there is no Synapse: run `make synapse`")
    return PYTHON


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "media").mkdir()
    (tmp_path / "conf").mkdir()
    return tmp_path


def files_of(component: RenderedComponent, process: Process, folder: Path) -> list[str]:
    """Write a process's files as its pod gets them, in another place."""

    def write(name: str, text: str) -> str:
        (folder / name).write_text(PLACES.sub(rf"{folder}/\1", text))
        return str(folder / name)

    write("conf/log.yaml", component.files["log.yaml"])
    names = [write("homeserver.yaml", component.files["homeserver.yaml"])]
    names.append(write(f"{process.name}.yaml", component.files[f"synapse-{process.pool.name}.yaml"]))
    if process.pool.name != MAIN:
        names.append(write(f"{process.name}-name.yaml", f"worker_name: {process.name}\n"))
    return names


def program(python: Path, path: str, *arguments: str) -> str:
    """Run a program as it is run in the image: from standard input."""
    text = (APPS / path).read_bytes()
    command = [str(python), "-W", "ignore", "-", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, timeout=200)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout.decode()


def complaints(python: Path, asked: Mapping[str, Sequence[str]]) -> dict[str, str]:
    found: dict[str, str] = json.loads(program(python, "config_check/config_check.py", json.dumps(asked)))["complaints"]
    assert found.keys() == asked.keys()
    return found


# The small site's, and every other text of a process once: `config_files` asks.
CASES: tuple[tuple[str | int, dict[str, Any]], ...] = (
    (100, {"federation": True, "element_call": False, "livekit": False}),
    (20000, {"federation": True, "push_notifications": True, "smtp": True}),
)


@pytest.mark.parametrize(("size", "switches"), CASES)
def test_every_kind_of_process_passes_synapses_own_check(
    size: str | int, switches: dict[str, Any], synapse: Path, folder: Path
) -> None:
    of = site(size, **switches)
    component, here = rendered(of, "synapse"), running(of)
    firsts = {pool.name: files_of(component, here.of(pool)[0], folder) for pool in here.pools}
    assert complaints(synapse, firsts) == dict.fromkeys(firsts, "")


def test_synapse_refuses_a_writer_that_nobody_can_reach(synapse: Path, folder: Path) -> None:
    of = site("small")
    names = files_of(rendered(of, "synapse"), running(of).main, folder)
    shared = Path(names[0])
    shared.write_text(shared.read_text().replace("  typing:\n  - synapse-stream-writer-0", "  typing:\n  - ghost"))
    assert "ghost" in complaints(synapse, {"main": names})["main"]


def test_synapse_refuses_a_secret_in_clear(synapse: Path, folder: Path) -> None:
    of = site("small")
    names = files_of(rendered(of, "synapse"), running(of).main, folder)
    with Path(names[0]).open("a") as file:
        file.write("turn_shared_secret: clear\n")
    assert "turn_shared_secret" in complaints(synapse, {"main": names})["main"]


@pytest.fixture(scope="module")
def dump(synapse: Path) -> str:
    return program(synapse, "route_dump/route_dump.py")


def test_the_routes_kept_here_are_those_of_this_synapse(dump: str) -> None:
    assert difference(table(), read(dump)) == ()


def test_a_synapse_with_one_route_more_or_less_is_told_from_the_one_that_is_kept(dump: str) -> None:
    here = running(site("small"))
    routed = routing(table(), here)
    whoami = next(line for line in dump.splitlines() if '"WhoamiRestServlet"' in line)
    other = whoami.replace("whoami", "who")
    more, less = read(dump.replace(whoami, f"{whoami}\n{other}")), read(dump.replace(f"{whoami}\n", ""))
    method, pattern, *_ = json.loads(whoami.rstrip(","))
    assert difference(table(), more) == (f"{method} {pattern.replace('whoami', 'who')}: new in the image",)
    assert misrouted(routed, here, table(), more) == ()
    assert difference(table(), less) == (f"{method} {pattern}: not in the image",)
    (sentence,) = misrouted(routed, here, table(), less)
    assert sentence == f"{method} {pattern}: HAProxy's maps send it to client-reader, and the image serves it nowhere"


WRITERS = "import attr, json; from synapse.config.workers import WriterLocations as W; "
WRITERS += "print(json.dumps([field.name for field in attr.fields(W)]))"


def test_the_streams_kept_here_are_those_that_this_synapse_gives_away(synapse: Path) -> None:
    done = subprocess.run([synapse, "-W", "ignore", "-c", WRITERS], capture_output=True, check=True, timeout=100)
    known = known_settings(VERSION)
    assert known is not None
    assert known.tree["stream_writers"].keys() == set(json.loads(done.stdout))
