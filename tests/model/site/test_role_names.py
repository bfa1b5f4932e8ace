"""Code asks for traits of roles and never for a role's name: names are the site's to choose."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.mutation import REFERENCE

ROOT = REFERENCE.parent
ROOMS = ("model", "flows", "tasks", "checks", "remote")
NAMES = frozenset(yaml.safe_load((REFERENCE / "groups.yaml").read_text("utf-8")))
# What is compared with one of these is a trait's value, whatever roles are called.
TRAITS = frozenset({"node", "kind", "purpose", "feature", "view"})
FEATURE = "the switch of that name in site.yaml"
SECTION = "the part of site.yaml of that name"
# Where a word is another thing than a role, by word and the end of the file's path.
ALLOWED = {
    ("control_plane", "site.py"): "a value of the trait `node`",
    ("worker", "site.py"): "a value of the trait `node`",
    ("control_plane", "staging.py"): "which nodes need a piece of the bundle",
    ("li", "answers.py"): FEATURE,
    ("li", "roles.py"): FEATURE,
    ("li", "questions.py"): FEATURE,
    ("li", "declaration.py"): "the isolated network that is asked about, the feature, and parts of site.yaml",
    ("li", "inventory.py"): SECTION,
    ("li", "names.py"): "the view of DNS",
    ("li", "tls_services.py"): "the view of DNS",
    ("li", "ports.py"): "the beginning of a check's id",
    ("monitoring", "perimeter.py"): FEATURE,
    ("monitoring", "roles.py"): FEATURE,
    ("monitoring", "declaration.py"): FEATURE,
    ("monitoring", "information.py"): "a check's id",
    ("monitoring", "pod_words.py"): "pods that a row names",
    ("database", "storage.py"): "the purpose of a disk",
    ("database", "declaration.py"): "the purpose of a disk",
    ("monitoring", "storage.py"): "the purpose of a disk",
    ("storage", "storage.py"): "the field of a Kubernetes volume, and the subject of a phase",
    ("storage", "plan.py"): "the name of a phase",
    ("storage", "information.py"): "a check's id",
    ("perimeter", "check/lint/__init__.py"): "a module of rules",
    ("storage", "check/preflight/__init__.py"): "a module of checks",
    ("perimeter", "request.py"): "a border of the firewall request",
    ("perimeter", "perimeter_rows.py"): "the subject of outcomes",
    ("perimeter", "results.py"): "a part of the report, and the subject of outcomes",
    ("perimeter", "data.py"): "a part of the report",
    ("perimeter", "ports.py"): "the beginning of a check's id",
    ("perimeter", "declaration.py"): SECTION,
    ("perimeter", "inventory.py"): SECTION,
    ("vantage", "site.py"): "the row word for hosts of that kind",
    ("vantage", "rows.py"): "the row word for hosts of that kind",
    ("li", "judgement/secrets.py"): "whose recipients may read a secret",
    ("li", "rollout/announced.py"): FEATURE,
    ("monitoring", "rollout/announced.py"): FEATURE,
    ("li", "gates/dns.py"): "the view of DNS",
    ("worker", "synapse/duties.py"): "a process of Synapse",
    ("monitoring", "values/namespaces.py"): "a namespace",
    ("storage", "values/postgresql.py"): "the field of a CloudNativePG cluster",
    ("storage", "invariants/relations.py"): "the field of a CloudNativePG cluster",
    ("database", "values/postgresql.py"): "the purpose of a disk",
    ("vantage", "perimeter.py"): "the row word for hosts of that kind",
}


def test_no_code_names_a_role() -> None:
    files = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    assert len(files) > 100
    named = [
        f"{path.relative_to(ROOT)}:{line}: {word!r}"
        for path in files
        for line, word in names(path.read_text("utf-8"))
        if not allowances(word, path)
    ]
    assert not named, "ask for a trait of groups.yaml (node, purpose, network, kind, exclusive, feature) instead"


def test_every_exception_is_still_needed() -> None:
    files = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    used = {key for path in files for _, word in names(path.read_text("utf-8")) for key in allowances(word, path)}
    assert set(ALLOWED) - used == set()


def test_no_code_asks_who_has_a_role_by_its_name() -> None:
    asked = [
        f"{path.relative_to(ROOT)}:{line}"
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        for line in questions(path.read_text("utf-8"))
    ]
    assert not asked, "ask for a trait of groups.yaml instead"


def test_a_name_of_a_role_is_seen_and_a_traits_value_is_not() -> None:
    assert list(names('machines = site.with_role("database")')) == [(1, "database")]
    assert list(names('PREFIXES = {"worker": "w"}')) == [(1, "worker")]
    assert list(names('node: Literal["control_plane", "worker"]\nif machine.node == "control_plane": pass')) == []
    assert list(names('"""The worker."""')) == []
    assert list(questions('site.with_role("li")\n"li" in machine.roles\nsite.roles["li"]\nsite.with_role(role)')) == [
        1, 2, 3,
    ]  # fmt: skip


def allowances(word: str, path: Path) -> list[tuple[str, str]]:
    """Return the exceptions for a word in a file."""
    return [key for key in ALLOWED if key[0] == word and path.as_posix().endswith(f"/{key[1]}")]


def names(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of every literal that is a role's name and no value of a trait."""
    tree = ast.parse(source)
    values = {id(inner) for node in ast.walk(tree) if _of_a_trait(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in NAMES and id(node) not in values:
            yield node.lineno, str(node.value)


def questions(source: str) -> Iterator[int]:
    """Yield the line of every `with_role("x")`, `"x" in ....roles` and `....roles["x"]`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr="with_role" | "machines_at"), args=[ast.Constant(value=word), *_]):
                pass
            case ast.Compare(left=ast.Constant(value=word), comparators=[ast.Attribute(attr="roles" | "groups")]):
                pass
            case ast.Subscript(value=ast.Attribute(attr="roles"), slice=ast.Constant(value=word)):
                pass
            case _:
                continue
        if word in NAMES:
            yield node.lineno


def _of_a_trait(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return any(isinstance(side, ast.Attribute) and side.attr in TRAITS for side in (node.left, *node.comparators))
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal"
