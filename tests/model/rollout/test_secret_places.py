"""Values are found where the rollout puts them: as a whole, and within a line that is as it was rendered."""

from __future__ import annotations

from model.rollout.rendered import RenderedComponent, SecretRef
from model.rollout.secret_places import secret_places
from model.site.components import Component

REF = SecretRef("redis", "password")
_TEXT = "port 1\nauth-pass main @@secret:redis/password@@\nuser @@secret:redis/name@@:@@secret:redis/password@@\n"
_MANIFEST = {
    "kind": "Secret",
    "metadata": {"namespace": "matrix", "name": "config"},
    "stringData": {"a.conf": _TEXT, "password": "@@secret:redis/password@@"},
}
_COMPONENT = Component(name="redis", phase=2, title="Redis")
PLACES = secret_places([RenderedComponent(component=_COMPONENT, objects=(_MANIFEST,), files={})])


def test_a_key_that_holds_nothing_else_comes_first() -> None:
    first, *others = PLACES[REF]
    assert (first.key, first.line) == ("password", None)
    assert first.value_in(b"any thing\n") == b"any thing\n"
    assert [place.key for place in others] == ["a.conf"] * 3


def test_within_a_file_a_line_must_be_as_it_was_rendered() -> None:
    content = b"port 2\nauth-pass main s3cret\nuser me:s3cret\n"
    assert [place.value_in(content) for place in PLACES[REF][1:]] == [None, b"s3cret", b"s3cret"]
    assert [place.value_in(b"auth-pass other s3cret\n") for place in PLACES[REF][1:]] == [None] * 3
    assert [place.value_in(content) for place in PLACES[SecretRef("redis", "name")]] == [None, b"me"]


def test_the_whole_text_tells_lines_apart_that_are_alike() -> None:
    text = "[{key @@secret:a/key@@}]\n[{key @@secret:b/key@@}]\n"
    manifest = {**_MANIFEST, "stringData": {"s3.json": text}}
    places = secret_places([RenderedComponent(component=_COMPONENT, objects=(manifest,), files={})])
    held = b"[{key first}]\n[{key second}]\n"
    assert [place.value_in(held) for place in places[SecretRef("a", "key")]] == [b"first", None]
    assert [place.value_in(held) for place in places[SecretRef("b", "key")]] == [b"second", None]


def test_two_values_where_one_should_be_are_none() -> None:
    assert PLACES[REF][2].value_in(b"auth-pass main a\nauth-pass main b\n") is None
