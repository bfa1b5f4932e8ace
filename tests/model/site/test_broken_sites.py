"""However the files are broken: exit 1, every finding with file and field, no traceback, nothing connected to."""

from __future__ import annotations

import socket
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.check.lint import examine, exit_code
from model.site.load import FILES
from tests.mutation import REFERENCE, cases, write

BROKEN = cases("broken.yaml")
TEXTS = {name: (REFERENCE / name).read_text("utf-8") for name in FILES}


@pytest.fixture(autouse=True)
def _no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def _examine(folder: Path) -> list[tuple[str, str]]:
    _, flaws = examine(folder)
    assert exit_code(flaws) == 1
    errors = [finding for finding in flaws if finding.severity == "error"]
    assert all(finding.file in FILES and finding.path and finding.message for finding in errors)
    return [(finding.file, finding.path) for finding in errors]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case["at"])
def test_broken_file_is_named_with_its_field(case: dict[str, Any], tmp_path: Path) -> None:
    file, path = case["at"].split(" ", 1)
    flaws = _examine(write(tmp_path, case))
    assert any(where == file and path in field for where, field in flaws), flaws


def test_there_are_a_hundred_of_them() -> None:
    assert len(BROKEN) >= 100


BOMBS = {
    "aliases": "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)),
    "flow nesting": "[" * 300_000,
    "mapping nesting": "a: " + "{b: " * 50_000,
    "block nesting": "\n".join(" " * depth + "a:" for depth in range(3_000)),
    "key nesting": "? " * 20_000,
    "many values": "a: [" + "1, " * 600_000 + "1]",
    "long number": "concurrent_users: " + "9" * 100_000,
    "large file": "# " + "x" * (5 * 2**20),
    "long line": "name: " + "x" * 1_000_000,
    "entities": "name: " + "&a " * 10_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_fails_fast(name: str, tmp_path: Path) -> None:
    folder = write(tmp_path, {"text": {"site": BOMBS[name]}})
    started = time.process_time()
    flaws = _examine(folder)
    assert time.process_time() - started < 3
    assert any(file == "site.yaml" for file, _ in flaws)
    assert all(len(finding.value) < 200 for finding in examine(folder)[1])


def test_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, {"missing": ["hosts"]})
    (folder / "hosts.yaml").mkdir()
    assert ("hosts.yaml", "(file)") in _examine(folder)


def test_all_wrong_fields_of_all_files_are_named_at_once(tmp_path: Path) -> None:
    edits = {
        "site:domain": 5,
        "site:egress": "no",
        "hosts:w-1.port": 0,
        "groups:li.data.node": "x",
        "ports:rows.ssh.ports": [0],
    }
    flaws = _examine(write(tmp_path, {"set": edits}))
    assert {"domain", "egress", "w-1.port", "li.data.node", "rows.0 (ssh).ports.0"} == {path for _, path in flaws}


RUBBISH = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
    st.sampled_from(["fe80::1%eth0", "0.0.0.0/0", "::", "::ffff:10.0.0.1", "255.255.255.255", "10.20.1.11", "1e400"]),
)
FUZZ = settings(
    max_examples=settings().max_examples * 6 // 10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    flaws = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return flaws + [place for key, child in items for place in _places(child, (*path, key))]


DATA = {name: yaml.load(text, Loader=yaml.CSafeLoader) for name, text in TEXTS.items()}
PLACES = [(name, place) for name, data in DATA.items() for place in _places(data)]


@FUZZ
@given(st.sampled_from(PLACES), RUBBISH, st.booleans())
def test_no_value_anywhere_ends_in_an_exception(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str, tuple[Any, ...]], rubbish: object, drop: bool
) -> None:
    name, path = place
    folder = write(tmp_path_factory.mktemp("fuzz"), {})
    data = deepcopy(DATA[name])
    container = data
    for key in path[:-1]:
        container = container[key]
    if drop:
        del container[path[-1]]
    else:
        container[path[-1]] = rubbish
    (folder / name).write_text(yaml.dump(data, Dumper=yaml.CSafeDumper, allow_unicode=True), "utf-8")
    _harmless(folder)


@FUZZ
@given(
    st.sampled_from(FILES),
    st.lists(
        st.tuples(
            st.floats(0, 1),
            st.sampled_from(
                [
                    b"",
                    b"\0",
                    b"\t",
                    b"\xff",
                    b"{",
                    b"]",
                    b"*x ",
                    b"&x ",
                    b": ",
                    b"- ",
                    b"\n\n",
                    b"!!int ",
                    b'"',
                    b"%YAML 9\n",
                    "Ω".encode(),
                ]
            ),
            st.integers(0, 40),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_no_damage_to_the_bytes_ends_in_an_exception(
    tmp_path_factory: pytest.TempPathFactory, name: str, damage: list[tuple[float, bytes, int]]
) -> None:
    folder = write(tmp_path_factory.mktemp("fuzz"), {})
    data = TEXTS[name].encode()
    for where, what, lost in damage:
        at = int(where * len(data))
        data = data[:at] + what + data[at + lost :]
    (folder / name).write_bytes(data)
    _harmless(folder)


def _harmless(folder: Path) -> None:
    """Whatever the damage did, the files are judged without an exception, and what is wrong has a file and a field."""
    _, flaws = examine(folder)
    assert all(finding.file and finding.path and finding.message for finding in flaws)
