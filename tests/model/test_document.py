"""What stands in a site's files is what a person wrote there, or it is refused with its place."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from model.document import DocumentError, dump, parse
from model.document.places import Places
from model.errors import SchemaErrors
from model.site.load import load_site
from tests.mutation import REFERENCE, write


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("06443", 6443),
        ("0100", 100),
        ("-010", -10),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("10:20:30", "10:20:30"),
        ("1:30.5", "1:30.5"),
        ("0b101", "0b101"),
        ("10_000", "10_000"),
        ("1_0", "1_0"),
        ("1e3", 1000.0),
        ("1.36", 1.36),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("2030-12-31", "2030-12-31"),
        ("2030-12-31 10:00:00", "2030-12-31 10:00:00"),
        ("=", "="),
        ("'0100'", "0100"),
        ('"true"', "true"),
        ("!!str 0100", "0100"),
        ("!!int 0100", 100),
        ("fd00::11", "fd00::11"),
        ("00:16:3e:12:34:56", "00:16:3e:12:34:56"),
    ],
)
def test_a_word_is_what_yaml_1_2_says_of_it(written: str, value: object) -> None:
    read = parse(f"a: {written}\n")
    assert read == {"a": value}
    assert isinstance(read, dict)
    assert type(read["a"]) is type(value) or isinstance(value, str)


@pytest.mark.parametrize("key", ["yes", "0100", "null", "1.36", "2030-12-31", "0x1F", "true", "1:30"])
def test_a_key_is_the_text_that_is_written(key: str) -> None:
    assert parse(f"{key}: 1\n") == {key: 1}


def test_two_spellings_of_one_number_are_two_keys_and_one_spelling_is_one() -> None:
    assert parse("1: a\n01: b\n") == {"1": "a", "01": "b"}
    with pytest.raises(DocumentError, match="is written twice"):
        parse("1: a\n'1': b\n")


@pytest.mark.parametrize(
    ("text", "place", "field"),
    [
        ("w-1:\n  port: !!binary MjI=\n", "line 2, column 9", "w-1.port"),
        ("w-1:\n  groups: !!set {worker}\n", "line 2, column 11", "w-1.groups"),
        ("rows:\n- name: a\n- ports: !!omap [a: 1]\n", "line 3, column 10", "rows.1.ports"),
        ("a: !!pairs [b: 1]\n", "line 1, column 4", "a"),
        ("a: !!timestamp 2030-12-31\n", "line 1, column 4", "a"),
        ("a: !Vault x\n", "line 1, column 4", "a"),
        ("a:\n- !!python/name:os.system x\n", "line 2, column 3", "a.0"),
        ("a: !!int 1:30\n", "line 1, column 4", "a"),
        ("a: !!bool yes\n", "line 1, column 4", "a"),
        ("a: !!seq {b: 1}\n", "line 1, column 4", "a"),
        ("a: !!map [b]\n", "line 1, column 4", "a"),
        ("a: {!!binary YQ==: 1}\n", "line 1, column 5", "a.YQ=="),
        ("a: {[b]: 1}\n", "line 1, column 5", "a"),
        ("a: &x\n  b: *x\n", "line 1, column 4", "a.b"),
    ],
)
def test_what_has_no_plain_meaning_is_refused_with_line_and_field(text: str, place: str, field: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text)
    assert (caught.value.place, caught.value.field) == (place, field)
    assert caught.value.fix


@settings(deadline=None)
@given(st.recursive(st.integers() | st.booleans() | st.none() | st.text(), lambda of: st.lists(of, max_size=3)))
def test_what_is_dumped_unambiguously_is_read_back(value: object) -> None:
    text = yaml.safe_dump({"a": value}, default_style='"')
    assert parse(text) == {"a": value}


def _changed(folder: Path, file: str, old: str, new: str) -> Path:
    """Write the reference site with one text in one of its files replaced."""
    write(folder, {})
    path = folder / file
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")
    return folder


def _port(folder: Path, written: str) -> Path:
    return _changed(folder, "site.yaml", "concurrent_users: 100\n", f"concurrent_users: {written}\n")


@pytest.mark.parametrize(("written", "users"), [("0100", 100), ("00000100", 100), ("1_000", 1000), ("100", 100)])
def test_a_number_of_the_site_is_the_one_that_is_written(tmp_path: Path, written: str, users: int) -> None:
    assert load_site(_port(tmp_path, written)).settings.concurrent_users == users


@pytest.mark.parametrize("written", ["1:30", "0b11", "1_0", "1e2", "100.0", "!!str 100", "'100'", "yes"])
def test_what_is_no_number_of_the_site_is_refused_with_file_line_field_and_advice(tmp_path: Path, written: str) -> None:
    folder = _port(tmp_path, written)
    with pytest.raises(SchemaErrors) as caught:
        load_site(folder)
    (error,) = caught.value.errors
    line = (folder / "site.yaml").read_text("utf-8").splitlines().index(f"concurrent_users: {written}") + 1
    assert (error.file, error.path, error.line) == ("site.yaml", "concurrent_users", line)
    assert "whole number" in error.fix
    assert str(error).endswith(f" (line {line})")


@pytest.mark.parametrize(
    ("word", "meant"), [("yes", True), ("Off", False), ("on", True), ("no", False), ("true", True)]
)
def test_a_site_with_older_words_for_true_and_false_keeps_working(tmp_path: Path, word: str, meant: bool) -> None:
    folder = write(tmp_path, {"delete": ["site:federation", "site:organisation_contact"]})
    with (folder / "site.yaml").open("a") as file:
        file.write(f"federation: {word}\norganisation_contact: {word if word != 'true' else 'yes'}\n")
    settings = load_site(folder).settings
    assert settings.federation is meant
    assert settings.organisation_contact == (word if word != "true" else "yes")


def test_quoted_words_are_no_truth_values(tmp_path: Path) -> None:
    with pytest.raises(SchemaErrors, match="federation: is neither true nor false"):
        load_site(write(tmp_path, {"set": {"site:federation": "yes"}}))


def test_places_are_found_by_the_paths_that_errors_have(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("rows:\n- name: x\n  ports:\n  - 1\n- {name: y, to: [z]}\nexample.org:\n  b: 1\n")
    places = Places(tmp_path)
    known = {"rows": 1, "rows.0 (x)": 2, "rows.0 (x).ports.0": 4, "rows.1 (y).to": 5, "example.org.b": 7, "c": 0}
    assert {path: places.line("a.yaml", path) for path in known} == known
    assert places.line("a.yaml", "rows.0 (x).missing") == 2
    assert places.line("nowhere.yaml", "rows") == 0


def test_the_reference_site_is_read_as_before() -> None:
    for path in sorted(REFERENCE.glob("*.yaml")):
        assert parse(path.read_text("utf-8")) == yaml.safe_load(path.read_text("utf-8"))


WORDS = st.one_of(
    # PyYAML itself loses some signs that nobody types.
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))),
    st.from_regex(r"[-+]?[0-9._:xoeE+-]{0,8}", fullmatch=True),
    st.sampled_from(
        ["yes", "No", "on", "1e3", "0o17", "0x1f", "010", "1:30", "10_000", "2030-12-31", "~", "null", "=", "<<"]
    ),
)


@settings(deadline=None)
@given(st.dictionaries(WORDS.filter(lambda key: key != "<<"), WORDS | st.integers() | st.booleans() | st.none()))
def test_what_is_written_is_read_back_by_both_readings(value: dict[str, object]) -> None:
    for form in ({}, {"default_flow_style": True, "allow_unicode": True}):
        text = dump(value, **form)
        assert parse(text) == value
        assert {str(key): item for key, item in yaml.safe_load(text).items()} == value


def test_words_without_quotes_stay_so_when_they_are_written_again_and_travel() -> None:
    read = parse("a: yes\nb: 10_000\nc: 'yes'\n")
    assert dump(read) == "a: yes\nb: 10_000\nc: 'yes'\n"
    assert isinstance(read, dict)
    there = pickle.loads(pickle.dumps(read["a"]))
    assert (there, there.meant) == ("yes", True)


@pytest.mark.parametrize(("written", "shown"), [("1.30", "1.30"), ("010", "010"), ("0x10", "0x10"), ("[a]", "['a']")])
def test_a_refused_value_is_shown_as_it_is_written(tmp_path: Path, written: str, shown: str) -> None:
    folder = write(tmp_path, {"delete": ["site:organisation_contact"]})
    with (folder / "site.yaml").open("a") as file:
        file.write(f"organisation_contact: {written}\n")
    with pytest.raises(SchemaErrors, match=rf"organisation_contact: is no text \(found {re.escape(shown)}\)"):
        load_site(folder)
