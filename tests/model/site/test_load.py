"""Five files become one site, whole or not at all."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from pydantic import ValidationError

from model.document import DocumentError, parse
from model.errors import SchemaErrors, SiteError
from model.site.load import APPLICATION_FILES, FILES, adapters, load_site
from tests.mutation import REFERENCE, site, write


def test_reference_site_has_its_machines_roles_and_networks() -> None:
    loaded = load_site(REFERENCE)
    assert (len(loaded.servers), len(loaded.vantages), len(loaded.machines)) == (17, 1, 19)
    assert [machine.name for machine in loaded.servers if loaded.isolated(machine)] == ["li-1"]
    assert len(loaded.nodes) == 16
    assert loaded.by_name["st-1"].roles == ("storage", "worker")


def test_machine_reached_by_a_management_address_speaks_from_its_cluster_address() -> None:
    machine = load_site(REFERENCE).by_name["db-1"]
    assert machine.hostname == "10.20.0.31"
    assert machine.speaks(4) == ip_address("10.20.1.31")
    assert [network for network, _ in machine.every] == ["main", "main", "management", "management"]


def test_lab_is_read_as_small_and_the_schema_admits_it(tmp_path: Path) -> None:
    assert {site(tmp_path / size, set={"site:size": size}).settings.size for size in ("lab", "small")} == {"small"}
    assert adapters()["site.yaml"].json_schema()["properties"]["size"]["enum"] == ["auto", "small", "lab"]
    with pytest.raises(SchemaErrors, match=r"found 'tiny'.*one of 'auto', 'small' \(line \d+\)$"):
        site(tmp_path / "tiny", set={"site:size": "tiny"})


def test_a_missing_folder_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"flows\.site init"):
        load_site(tmp_path / "nowhere")


def test_declared_values_are_frozen() -> None:
    settings = load_site(REFERENCE).settings
    with pytest.raises(ValidationError):
        settings.domain = "elsewhere.org"


def test_a_misspelt_field_is_answered_with_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(SchemaErrors) as caught:
        site(tmp_path, set={"site:fedration": True})
    assert [error.fix for error in caught.value.errors] == ["did you mean `federation`?"]


def test_host_bits_in_a_network_are_answered_with_the_network(tmp_path: Path) -> None:
    with pytest.raises(SchemaErrors, match=r"networks\.main\.cidrs\.0: is no network .*10\.20\.1\.0/24"):
        site(tmp_path, set={"site:networks.main.cidrs": ["10.20.1.7/24"]})


def test_a_secret_in_a_file_is_refused_and_never_shown(tmp_path: Path) -> None:
    with pytest.raises(SchemaErrors) as caught:
        site(tmp_path, set={"hosts:w-1.password": "hunter2", "defaults:password": "hunter2"})
    assert len(caught.value.errors) == 2
    assert "hunter2" not in str(caught.value)


def test_an_unknown_role_is_one_error_for_each_host_that_has_it(tmp_path: Path) -> None:
    with pytest.raises(SchemaErrors) as caught:
        site(tmp_path, set={"hosts:w-1.groups": ["wroker"], "hosts:w-2.groups": ["wroker"]})
    assert [error.path for error in caught.value.errors] == ["w-1.groups", "w-2.groups"]


def test_an_empty_defaults_file_is_fine(tmp_path: Path) -> None:
    assert load_site(write(tmp_path, {"text": {"defaults": ""}})).name == "reference"


def test_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    text = (REFERENCE / "groups.yaml").read_text("utf-8").replace("\n", "\r\n")
    assert load_site(write(tmp_path, {"text": {"groups": b"\xef\xbb\xbf" + text.encode()}})).name == "reference"


def test_a_value_used_twice_by_alias_is_read() -> None:
    assert parse("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


def test_a_key_written_twice_is_named_with_its_place() -> None:
    with pytest.raises(DocumentError) as caught:
        parse("a: 1\nb:\n  c: 1\n  c: 2\n")
    assert (caught.value.place, caught.value.message) == ("line 4, column 3", "`c` is written twice")


def test_every_file_has_a_schema() -> None:
    assert set(adapters()) == {*FILES, *APPLICATION_FILES}


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ("a:\n\tb: 1\n", "is indented by a tab", "indent with spaces"),
        ("a: 1\na: 2\n", "`a` is written twice", "keep one of them"),
        ("a: [1\n", "did not find expected ',' or ']'", "write the file as plain YAML in UTF-8"),
    ],
)
def test_what_is_no_data_comes_with_the_advice_that_fits(text: str, message: str, fix: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text)
    assert (caught.value.message, caught.value.fix) == (message, fix)


def test_an_unknown_end_of_a_row_is_named_with_its_side_and_the_known_ones_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "site", {"set": {"ports:rows.ssh.from": ["managment"]}})
    with pytest.raises(SchemaErrors) as caught:
        load_site(folder)
    (error,) = caught.value.errors
    assert error.path == "rows.0 (ssh).from"
    words = error.fix.removeprefix("one of ").split(", ")
    assert sorted(set(words)) == words
