"""Generated documents say what the code and the reference site say; a stale one is noticed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows import docs
from flows._render.words import table
from flows._run.cli import execute
from flows._site.documents.texts import documents
from model.errors import SiteError
from model.site.rows import Row
from model.site.settings import Settings
from tests.mutation import REFERENCE, loaded

ROOT = REFERENCE.parent
SITE = loaded()


def test_committed_documents_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(docs.main, "flows.docs", ["--check"]) == 0, capsys.readouterr()


def test_a_stale_document_is_noticed_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "inventory").symlink_to(REFERENCE)
    page = tmp_path / "docs" / "port-matrix.md"
    page.write_text("before\n<!-- generated: port-matrix -->\nNOBODY WROTE THIS\n<!-- end -->\nafter\n", "utf-8")
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    assert execute(docs.main, "flows.docs", ["--check"]) == 2
    assert "stale: docs/port-matrix.md" in capsys.readouterr().out
    assert execute(docs.main, "flows.docs", []) == 0
    assert execute(docs.main, "flows.docs", ["--check"]) == 0
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "NOBODY WROTE THIS" not in text


def test_an_unknown_block_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("<!-- generated: nothing -->\n<!-- end -->\n", "utf-8")
    with pytest.raises(SiteError, match="nothing"):
        documents(SITE, tmp_path)


@pytest.mark.parametrize("row", SITE.rows, ids=lambda row: row.name)
def test_every_row_is_in_the_port_matrix_with_its_state(row: Row) -> None:
    text = (ROOT / "docs" / "port-matrix.md").read_text("utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {row.name} |")]
    state = "open by ufw itself" if row.builtin else "open" if row in SITE.active_rows else "closed"
    assert f"| {state} |" in line


def test_a_bar_in_a_cell_does_not_break_a_table() -> None:
    assert table(("a", "b"), [("x|y", "two\nlines")]).splitlines()[2] == "| x\\|y | two lines |"


def test_information_page_names_fields_that_exist() -> None:
    text = (ROOT / "docs" / "information.md").read_text("utf-8")
    named = re.findall(r"`site\.yaml` `([a-z_.]+)`", text)
    assert len(named) > 15
    schema = Settings.model_json_schema()
    for path in named:
        place: object = schema
        for word in path.split("."):
            place = _inside(schema, place, word)
            assert place is not None, path


def _inside(schema: dict[str, object], place: object, word: str) -> object:
    """Follow one word of a path through the schema; names a person chooses (networks, external) match any word."""
    assert isinstance(place, dict)
    for option in (place, *place.get("anyOf", ())):
        if "$ref" in option:
            option = schema["$defs"][option["$ref"].rsplit("/", 1)[1]]  # type: ignore[index]
        if word in option.get("properties", {}):
            return option["properties"][word]
        if "items" in option:
            return _inside(schema, option["items"], word)
        for inner in (*option.get("patternProperties", {}).values(), option.get("additionalProperties")):
            if isinstance(inner, dict):
                return inner
    return None
