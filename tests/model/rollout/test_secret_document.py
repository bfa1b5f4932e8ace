"""What a store holds comes back as it was; nothing of it shows in a text, an index or an error."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretBytes

from model.rollout.rendered import SecretRef
from model.rollout.secret_document import KeptValue, SecretDocument, dump, parse
from model.rollout.secret_index import dump_index, index_of, index_path, kept_index, kept_indexes, parse_index
from model.rollout.secret_plan import same_fingerprints
from model.rollout.secret_stages import adopted, forgotten, offered

VALUE = b"pAssW0rd-of-nobody-at-all"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
REF = SecretRef("redis", "password")


def kept(value: bytes = VALUE, made: datetime = NOW) -> KeptValue:
    return KeptValue(value=SecretBytes(value), made=made, origin="generated")


def document(**values: bytes) -> SecretDocument:
    whole = SecretDocument(realm="main", index_key=SecretBytes(b"k" * 32))
    for name, value in values.items():
        whole = whole.with_value(SecretRef(name, "password"), kept(value))
    return whole


def test_a_document_is_read_as_it_was_written() -> None:
    whole = document(redis=VALUE, other=bytes(range(256))).with_value(REF, kept(b"newer" * 6, NOW + timedelta(days=1)))
    assert parse(dump(whole)) == whole
    assert [value.value.get_secret_value() for value in whole.secrets[REF].former] == [VALUE]


def test_of_former_values_as_many_stay_as_are_wanted() -> None:
    whole = document(redis=b"first" * 6)
    for number in range(4):
        whole = whole.with_value(REF, kept(b"next%d" % number * 6), keep=2)
    assert len(whole.secrets[REF].former) == 2


def test_no_text_of_an_object_shows_a_value() -> None:
    whole = document(redis=VALUE)
    for text in (repr(whole), str(whole), f"{whole.secrets[REF]}", repr(kept())):
        assert VALUE.decode() not in text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"format": "other"}',
        b'{"format": "matrix-fleet/secrets/1", "realm": "main", "index_key": "", "secrets": {"a/b": {"value": "%%%"}}}',
        b'{"format": "matrix-fleet/secrets/1", "realm": "moon", "index_key": "", "secrets": {}}',
        dump(document(redis=VALUE)).replace(b"12:00:00+00:00", b"12:00:00"),
        dump(document(redis=VALUE))[:-20],
    ],
)
def test_what_is_no_document_is_refused_without_showing_it(text: bytes) -> None:
    with pytest.raises(ValueError, match="is not of the form") as caught:
        parse(text)
    assert caught.value.__cause__ is None
    assert VALUE.decode() not in str(caught.value)


def test_the_index_has_dates_and_no_value_and_tells_equal_ones() -> None:
    whole = document(redis=VALUE, alike=VALUE, other=b"another-value-than-these")
    index = parse_index(dump_index(index_of(whole, b"encrypted", ("age1x",))))
    assert index.entries[REF].made == NOW
    assert index.recipients == ("age1x",)
    assert VALUE not in dump_index(index)
    groups = same_fingerprints({ref: entry.fingerprint for ref, entry in index.entries.items()})
    assert groups == (frozenset({REF, SecretRef("alike", "password")}),)


def test_the_index_says_how_far_a_rotation_has_come_and_since_when() -> None:
    later = NOW + timedelta(days=1)
    begun = offered(document(redis=VALUE), {REF: kept(b"newer" * 6, later)})
    stages = {}
    for whole in (begun, adopted(begun, [REF], later), forgotten(adopted(begun, [REF], NOW), [REF], later)):
        text = dump_index(index_of(whole, b"encrypted", ()))
        index = parse_index(text)
        stages[str(index.entries[REF].stage)] = index.entries[REF].stage_since
        assert index.tells_rotations
        assert b"newer" not in text
    assert stages == {"offered": later, "adopted": later, "replaced": later}
    assert parse_index(dump_index(index_of(document(redis=VALUE), b"encrypted", ()))).entries[REF].stage is None


def test_an_index_of_an_earlier_version_is_read_and_tells_nothing_of_rotations() -> None:
    raw = json.loads(dump_index(index_of(document(redis=VALUE), b"encrypted", ("age1x",))))
    del raw["tells_rotations"]
    index = parse_index(json.dumps(raw).encode())
    assert (index.entries[REF].made, index.entries[REF].stage, index.tells_rotations) == (NOW, None, False)


@pytest.mark.parametrize("rotation", [{"stage": "moon", "since": "2026-11-28T12:00:00+00:00"}, {"stage": "adopted"}, 1])
def test_a_stage_that_is_none_is_no_index(rotation: object) -> None:
    raw = json.loads(dump_index(index_of(document(redis=VALUE), b"encrypted", ())))
    raw["secrets"]["redis/password"]["rotation"] = rotation
    with pytest.raises(ValueError, match="is no index"):
        parse_index(json.dumps(raw).encode())


def test_without_the_index_key_nobody_can_tell_a_value_by_its_fingerprint() -> None:
    other = SecretDocument(realm="main", index_key=SecretBytes(b"j" * 32))
    assert other.fingerprint(SecretBytes(VALUE)) != document().fingerprint(SecretBytes(VALUE))


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b'{"format": "matrix-fleet/secrets-index/1"}'])
def test_what_is_no_index_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="is no index"):
        parse_index(text)


def test_one_realms_index_is_read_where_it_lies_and_named_where_it_is_none(tmp_path: Path) -> None:
    assert kept_index(tmp_path, "main") is None
    path = index_path(tmp_path, "main")
    path.parent.mkdir()
    path.write_bytes(dump_index(index_of(document(redis=VALUE), b"encrypted", ("age1x",))))
    told = {}
    for content in (None, b"encrypted", b"encrypted anew"):
        if content:
            path.with_name("main.age").write_bytes(content)
        index = kept_index(tmp_path, "main")
        assert index is not None
        assert kept_indexes(tmp_path) == {"main": index}
        told[content] = index.stale
    assert told == {
        None: "main.age, of which main.index.json tells, is not there",
        b"encrypted": "",
        b"encrypted anew": "main.index.json was written for another main.age than the one that is there",
    }
    path.write_bytes(b"{}")
    with pytest.raises(ValueError, match=r"main\.index\.json is no index"):
        kept_index(tmp_path, "main")
