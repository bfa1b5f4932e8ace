"""A reader who begins at the README finds every document, and every name that a document gives as a place exists."""

from __future__ import annotations

import re
import sys
from functools import reduce
from importlib import import_module
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
# Written by hand or generated, for people: what links are looked for in.
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
# Words like `module.path:name`; a name may have parts, as `Report.exit`.
PLACE = re.compile(r"`((?:model|remote|tasks|checks|flows|lab)(?:\.\w+)*):([\w.]+)`")


def prose(page: Path) -> str:
    """Return a page's text without its blocks of code, which may quote other pages."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def links(page: Path) -> set[Path]:
    """Return the files that a page links to; addresses and places within the page itself are left out."""
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose(page))
    return {(page.parent / target).resolve() for target in targets if ":" not in target}


def test_the_index_links_every_file_of_docs() -> None:
    every = {path.resolve() for path in DOCS.rglob("*") if path.is_file()} - {INDEX.resolve()}
    assert every - links(INDEX) == set()


def test_the_readme_links_the_index_and_every_page() -> None:
    assert {path.resolve() for path in PAGES} - {(ROOT / "README.md").resolve()} - links(ROOT / "README.md") == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_leads_nowhere(page: Path) -> None:
    assert [str(target) for target in links(page) if not target.exists()] == []


def places() -> list[tuple[str, str]]:
    """Return every place that the pages name, as module and name."""
    return sorted({place for page in PAGES for place in PLACE.findall(prose(page))})


@pytest.mark.parametrize(("module", "name"), places())
def test_every_named_place_exists(module: str, name: str) -> None:
    reduce(getattr, name.split("."), import_module(module))


@pytest.mark.parametrize("folder", ["flows", "model"])
def test_the_architecture_says_what_is_in_every_room(folder: str) -> None:
    rooms = {str(path.parent.relative_to(ROOT)) for path in (ROOT / folder).glob("*/__init__.py")}
    if folder == "model":
        rooms |= {str(path.relative_to(ROOT).with_suffix("")) for path in (ROOT / folder).glob("[a-z]*.py")}
    text = (DOCS / "architecture.md").read_text("utf-8")
    assert len(rooms) > 9
    assert sorted(re.findall(rf"^\| `({folder}/\w+)` \|", text, re.MULTILINE)) == sorted(rooms)


def test_every_folder_in_a_room_that_the_architecture_names_is_there() -> None:
    rows = re.findall(
        r"^\| `((?:flows|model)/\w+)` \| (.*) \|$", (DOCS / "architecture.md").read_text("utf-8"), re.MULTILINE
    )
    named = {f"{room}/{inner}" for room, text in rows for inner in re.findall(r"\(`([a-z]+)`\)", text)}
    assert len(named) > 6
    assert [place for place in sorted(named) if not (ROOT / place / "__init__.py").exists()] == []


def test_the_index_names_a_place_for_every_question() -> None:
    _, _, section = INDEX.read_text("utf-8").partition("## Where is what")
    answers = [line.split("|")[2] for line in section.splitlines() if line.startswith("| ") and line.count("|") == 3]
    assert len(answers) > 12
    assert [answer for answer in answers[1:] if not PLACE.search(answer)] == []


def test_the_readme_has_a_row_for_every_command() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    commands = {path.stem for path in (ROOT / "flows").glob("*.py") if not path.stem.startswith("_")}
    assert commands - set(re.findall(r"^\| `python -m flows\.(\w+)", text, re.MULTILINE)) == set()


def test_the_readme_names_every_target_of_make_that_a_person_may_want() -> None:
    named = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    text = (ROOT / "README.md").read_text("utf-8") + (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert [target for target in named if f"make {target}" not in text] == []


def test_hooks_before_a_commit_are_programs_of_the_environment() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert repository["repo"] == "local"
    words = [word for hook in repository["hooks"] for word in hook["entry"].split() if word.startswith(".venv/bin/")]
    assert len(words) == len(repository["hooks"]) == 5
    assert [word for word in words if not (Path(sys.executable).parent / Path(word).name).exists()] == []
