"""Our rules files are byte for byte what ufw itself writes, and every line of its own is understood."""

from __future__ import annotations

import pytest

from model.ufw.rule import parse
from model.ufw.text import level_of, option, render, with_level, with_option, wrong_level
from tests.model.ufw.ufw_data import data, file, told


@pytest.mark.parametrize("version", [4, 6])
def test_rendered_files_are_the_ones_ufw_writes(version: int) -> None:
    assert render(told(version), version, "low") == file("user", version)


@pytest.mark.parametrize("level", ["off", "medium", "high", "full"])
def test_logging_of_every_level_is_the_one_ufw_writes(level: str) -> None:
    _, mark, tail = render((), 4, level).partition("### LOGGING")
    assert mark + tail == data(f"logging-{level}")


def test_unknown_logging_level_is_an_error() -> None:
    with pytest.raises(ValueError, match="loud"):
        render((), 4, "loud")


@pytest.mark.parametrize("version", [4, 6])
def test_rules_read_back_are_the_rules_written(version: int) -> None:
    assert parse(render(told(version), version, "low")) == told(version)


def test_rules_a_person_made_are_read_in_words() -> None:
    words = [rule.words() for rule in parse(data("people.user.rules")) if not rule.ours]
    assert words == [
        "limit tcp 2222 from anywhere",
        "allow tcp 80 from anywhere (in_eth0)",
        "allow_log 8080 from anywhere",
        "reject tcp 25 from anywhere (out)",
    ]


def test_every_tuple_is_written_back_as_it_was_read() -> None:
    text = data("people.user.rules")
    assert [rule.line() for rule in parse(text)] == [line for line in text.splitlines() if "tuple" in line]


@pytest.mark.parametrize(
    "line",
    [
        "something else",
        "### tuple ### allow tcp 22",
        "### tuple ### permit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",
        "### tuple ### allow tcp 22 0.0.0.0/0 any somewhere in",
        "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in comment=zz",
    ],
)
def test_a_line_ufw_would_not_write_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="ufw"):
        parse(f"*filter\n{line}\nCOMMIT\n")


def test_rules_of_kinds_we_make_none_of_are_not_rendered() -> None:
    with pytest.raises(ValueError, match="limit tcp 2222"):
        render(parse(data("people.user.rules")), 4, "low")


def test_an_option_already_set_leaves_the_file_alone() -> None:
    text = '# a comment\nDEFAULT_INPUT_POLICY="drop"\n'
    assert with_option(text, "DEFAULT_INPUT_POLICY", '"DROP"') == text


def test_an_option_is_changed_in_its_place_and_added_at_the_end() -> None:
    assert with_option("ENABLED=no\nLOGLEVEL=low", "ENABLED", "yes") == "ENABLED=yes\nLOGLEVEL=low\n"
    assert with_option("LOGLEVEL=low\n", "ENABLED", "yes") == "LOGLEVEL=low\nENABLED=yes\n"
    assert option("A=1\nA='2'\n", "A") == "2"
    assert option("", "A") is None


@pytest.mark.parametrize(
    "comment", ["# mine", "#", "### mine ###", "# -A ufw-user-input -j ACCEPT", "   ", "#!/bin/sh"]
)
def test_a_persons_comment_is_passed_over(comment: str) -> None:
    text = data("people.user.rules")
    for place in ("*filter\n", "### RULES ###\n", "COMMIT\n"):
        assert parse(text.replace(place, f"{place}{comment}\n")) == parse(text)


def test_a_line_that_ufw_would_not_write_is_named_with_its_number() -> None:
    with pytest.raises(ValueError, match=r"^line 3: no line of ufw's rules files: allow 22$"):
        parse("*filter\n# mine\nallow 22\nCOMMIT\n")
    with pytest.raises(ValueError, match=r"^line 2: no tuple of ufw's"):
        parse("*filter\n### tuple ### allow tcp\nCOMMIT\n")


@pytest.mark.parametrize("written", ["on", "loud", "", '"on"', "low # mine", "1"])
def test_a_level_that_ufw_does_not_have_is_named_and_the_usual_one_is_meant(written: str) -> None:
    conf = f"# mine\nENABLED=yes\nLOGLEVEL={written}\n"
    assert level_of(conf) == "low"
    assert wrong_level(conf).startswith("line 3: LOGLEVEL=")
    assert with_level(conf) == "# mine\nENABLED=yes\nLOGLEVEL=low\n"


@pytest.mark.parametrize(
    "conf", ["ENABLED=yes\n", "LOGLEVEL=medium\n", "LOGLEVEL='FULL'\n", "LOGLEVEL=on\nLOGLEVEL=off\n"]
)
def test_a_level_of_ufws_stays_as_it_is_written(conf: str) -> None:
    assert wrong_level(conf) == ""
    assert with_level(conf) == conf
    assert render((), 4, level_of(conf))
