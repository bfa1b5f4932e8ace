"""Questions to name servers and their answers, as bytes."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from model.host.dns_wire import DnsAnswer, answers, question

HEADER = bytes.fromhex("00018180000100000000 0000".replace(" ", ""))


def _reply(asked: bytes, *, code: int = 0, records: bytes = b"", count: int = 0, authority: int = 0) -> bytes:
    counts = count.to_bytes(2, "big") + authority.to_bytes(2, "big") + b"\0\0"
    return asked[:2] + bytes((0x81, 0x80 | code)) + b"\0\1" + counts + asked[12:] + records


def _record(kind: int, data: bytes) -> bytes:
    return b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\x3c" + len(data).to_bytes(2, "big") + data


def test_a_question_names_its_labels() -> None:
    packet = question(10, "a.example.test.", 6)
    assert packet == bytes.fromhex("000a0100000100000000000001610765 78616d706c65047465737400001c0001".replace(" ", ""))


def test_several_answers_follow_each_other_without_anything_between() -> None:
    first, second = question(1, "a.example.test", 4), question(2, "b.example.test", 6)
    data = _reply(first, records=_record(1, bytes((10, 0, 0, 1))) + _record(1, bytes((10, 0, 0, 2))), count=2)
    data += _reply(second, code=3, records=_record(6, b"\0" * 22), authority=1)
    assert answers(data) == (
        DnsAnswer("a.example.test", 4, 0, (ip_address("10.0.0.1"), ip_address("10.0.0.2"))),
        DnsAnswer("b.example.test", 6, 3, ()),
    )


def test_an_alias_on_the_way_is_passed_over() -> None:
    asked = question(1, "a.example.test", 4)
    data = _reply(asked, records=_record(5, b"\1b\xc0\x0e") + _record(1, bytes((10, 0, 0, 1))), count=2)
    assert answers(data)[0].addresses == (ip_address("10.0.0.1"),)


@pytest.mark.parametrize("code", [2, 5])
def test_a_refusal_is_no_certain_answer(code: int) -> None:
    assert not answers(_reply(question(1, "a.test", 4), code=code))[0].certain


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        HEADER,
        _reply(question(1, "a.test", 4), count=1),
        _reply(question(1, "a.test", 4), records=_record(1, b"1234")[:-2], count=1),
        question(1, "a.test", 4)[:-4] + b"\0\x0f\0\1",
        # A name that points at itself, and a packet about no question.
        HEADER + b"\xc0\x0c\0\1\0\1",
        b"\0\1\x81\x80" + b"\0" * 8,
    ],
)
def test_what_is_no_answer_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"answer|name"):
        answers(data)
