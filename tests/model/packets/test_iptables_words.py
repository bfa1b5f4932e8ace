"""The words of a line of iptables-save are those that a shell reads."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.packets.iptables_save import words_of


@given(st.text(alphabet="ab-#\"'\\ \t\u00a0", max_size=24))
def test_words_are_those_of_a_shell(line: str) -> None:
    try:
        wanted = shlex.split(line)
    except ValueError:
        with pytest.raises(ValueError, match="No "):
            words_of(line)
    else:
        assert words_of(line) == wanted


def test_a_comment_is_one_word() -> None:
    line = '-A KUBE-X -m comment --comment "rule #1 to ACCEPT, mine" -j ACCEPT'
    assert words_of(line) == shlex.split(line)
    assert "rule #1 to ACCEPT, mine" in words_of(line)
