"""Modules import each other in one direction, every class has a name of its own, and the top holds few packages."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("flows", "model", "tasks", "checks", "remote", "lab")
MOST_PRIVATE_PACKAGES = 12
MOST_ENTRIES_OF_MODEL = 16
# What runs on a host is a program of its own, whose words its controller's side repeats.
PROGRAMS = ("remote.collector.program", "remote.probe.agent")


def modules(root: Path) -> dict[str, Path]:
    """Return the file of every module by its dotted name."""
    names = {}
    for path in (path for name in TREES for path in sorted((root / name).rglob("*.py"))):
        parts = path.relative_to(root).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imported(name: str, path: Path, known: Set[str]) -> Iterator[str]:
    """Yield the known modules that a module imports: at its top, in a function, or for types alone."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join((*above, node.module) if node.module else above)
            submodules = {f"{source}.{alias.name}" for alias in node.names} & known
            yield from submodules
            # What is no module is a name in the package itself.
            if source in known and len(submodules) < len(node.names):
                yield source


def imports(root: Path) -> dict[str, frozenset[str]]:
    """Return what every module imports of the trees."""
    files = modules(root)
    return {name: frozenset(imported(name, path, files.keys())) for name, path in files.items()}


def cycles(graph: Mapping[str, Set[str]]) -> list[list[str]]:
    """Return the modules that reach themselves, those that reach each other together."""
    reach = {name: _reached(graph, name) for name in graph}
    rings = {frozenset(other for other in reach[name] if name in reach[other]) for name in graph if name in reach[name]}
    return sorted(sorted(ring) for ring in rings)


def _reached(graph: Mapping[str, Set[str]], start: str) -> frozenset[str]:
    seen: set[str] = set()
    waiting = [*graph[start]]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph[name]
    return frozenset(seen)


def classes(root: Path) -> dict[str, list[str]]:
    """Return the modules in which a class of each name stands, once for each such class."""
    places: dict[str, list[str]] = {}
    for name, path in modules(root).items():
        if not name.startswith(PROGRAMS):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    places.setdefault(node.name, []).append(name)
    return places


def shared(places: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the names that several classes have."""
    return {name: standing for name, standing in places.items() if len(standing) > 1}


def entries(folder: Path) -> set[str]:
    """Return the modules and packages that stand in a folder, by their names."""
    names = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    return names - {"__init__", "__main__"}


def too_much(root: Path) -> Iterator[str]:
    """Say what stands at the top of `flows` and of `model` beyond what may stand there."""
    private = {name for name in entries(root / "flows") if name.startswith("_")}
    for name in sorted(entries(root / "flows") - private):
        path = root / "flows" / f"{name}.py"
        if not path.is_file() or '__name__ == "__main__"' not in path.read_text("utf-8"):
            yield f"flows.{name} is no command"
    yield from (
        f"flows.{name} is a private module, no package" for name in private if (root / f"flows/{name}.py").exists()
    )
    if len(private) > MOST_PRIVATE_PACKAGES:
        yield f"flows has {len(private)} private packages, more than {MOST_PRIVATE_PACKAGES}"
    if len(entries(root / "model")) > MOST_ENTRIES_OF_MODEL:
        yield f"model has {len(entries(root / 'model'))} entries, more than {MOST_ENTRIES_OF_MODEL}"


def test_no_modules_import_each_other() -> None:
    graph = imports(ROOT)
    assert len(graph) > 300
    assert cycles(graph) == []


def test_flows_holds_commands_and_few_packages_and_model_few_entries() -> None:
    assert list(too_much(ROOT)) == []


def test_every_class_has_a_name_of_its_own() -> None:
    places = classes(ROOT)
    assert len(places) > 300
    assert shared(places) == {}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of six empty packages."""
    for name in TREES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    return tmp_path


@pytest.mark.parametrize(
    "back",
    [
        "import model.low\n",
        "from model.low import NAME\n",
        "from model import low\n",
        "from . import low\n",
        "from .low import NAME\n",
        "def late():\n    from model.low import NAME\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from model.low import NAME\n",
    ],
)
def test_a_cycle_is_noticed_however_it_is_imported(tree: Path, back: str) -> None:
    (tree / "model/low.py").write_text("from model import middle\nNAME = 1\n")
    (tree / "model/middle.py").write_text("import model.high\n")
    (tree / "model/high.py").write_text("import ast\n")
    assert cycles(imports(tree)) == []
    (tree / "model/high.py").write_text(back)
    assert cycles(imports(tree)) == [["model.high", "model.low", "model.middle"]]


def test_a_package_and_its_own_module_are_a_cycle_where_both_import(tree: Path) -> None:
    (tree / "model/__init__.py").write_text("from model.low import NAME\n")
    (tree / "model/low.py").write_text("from model import OTHER\nNAME = 1\n")
    assert cycles(imports(tree)) == [["model", "model.low"]]


def test_what_is_too_much_at_the_top_is_noticed(tree: Path) -> None:
    (tree / "flows/lint.py").write_text('if __name__ == "__main__":\n    pass\n')
    assert list(too_much(tree)) == []
    (tree / "flows/words.py").touch()
    (tree / "flows/_words.py").touch()
    for number in range(12):
        (tree / f"flows/_p{number}").mkdir()
        (tree / f"flows/_p{number}/__init__.py").touch()
    for number in range(17):
        (tree / f"model/m{number}.py").touch()
    assert sorted(too_much(tree)) == [
        "flows has 13 private packages, more than 12",
        "flows._words is a private module, no package",
        "flows.words is no command",
        "model has 17 entries, more than 16",
    ]


def test_two_classes_of_one_name_are_noticed_unless_one_runs_on_hosts(tree: Path) -> None:
    (tree / "model/low.py").write_text("class Row:\n    class Part:\n        pass\n")
    (tree / "remote/probe/agent").mkdir(parents=True)
    (tree / "remote/probe/agent/packets.py").write_text("class Row:\n    pass\n")
    assert shared(classes(tree)) == {}
    (tree / "lab/high.py").write_text("def late():\n    class Part:\n        pass\n")
    assert shared(classes(tree)) == {"Part": ["model.low", "lab.high"]}
