"""A person is asked for the servers first, can go back at any time, and leaves nothing behind without agreeing."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows._site import writing
from flows._site.checking import WrongAnswerError
from flows._site.dialogue import ask, introduction
from flows._site.questions import Question, ServerQuestion, questions
from model import document
from model.errors import SiteError
from model.site.answers import Answers
from model.site.roles import known
from tests.mutation import REFERENCE

PLANES = "10.0.1.11 10.0.1.12 10.0.1.13"
FIVE = {
    "control_plane servers": PLANES,
    "worker servers": PLANES,
    "database servers": PLANES,
    "storage servers": f"{PLANES} st-4=10.0.1.14",
    "monitoring servers": "10.0.1.15",
    "Primary domain": "example.org",
    "Servers by the number": "small",
    "CIDRs of the servers": "10.0.1.0/24",
    "Networks from which": "10.0.9.0/24",
    "External addresses of the ingress": "203.0.113.10",
    "Name servers": "10.0.1.2",
    "Time servers": "10.0.1.2",
    "A free address": "10.0.1.10",
    "Where certificates": "internal-ca",
}


class Person:
    """Types what was prepared for a question, each text once; then what FIVE says, or Enter."""

    def __init__(self, once: dict[str, list[str]] | None = None) -> None:
        self.once = {words: list(texts) for words, texts in (once or {}).items()}
        self.heard: list[tuple[str, str]] = []

    def __call__(self, words: str, default: str) -> str:
        """Answer a question."""
        self.heard.append((words, default))
        assert len(self.heard) < 200, "the same is asked again and again"
        for beginning, texts in self.once.items():
            if beginning in words and texts:
                return texts.pop(0)
        return next((text for beginning, text in FIVE.items() if beginning in words), "") or default

    def defaults(self, beginning: str) -> list[str]:
        """Return what Enter would have answered, each time the question was asked."""
        return [default for words, default in self.heard if words.startswith(beginning)]


def _ask(person: Person, findings: Callable[[Answers], list[str]] = lambda _: []) -> Answers:
    return ask(findings, "site", person)


def test_servers_come_first_and_the_rest_follows_from_them() -> None:
    person = Person()
    answers = _ask(person)
    asked = [words for words, _ in person.heard]
    roles = ("control_plane", "worker", "database", "storage", "call", "li", "monitoring")
    assert [words.split()[0] for words in asked[:7]] == list(roles)
    assert (answers.turn, answers.livekit, answers.li, answers.monitoring) == (False, False, False, True)
    assert answers.size == "small"
    assert answers.servers["storage"][-1] == "st-4=10.0.1.14"
    assert set(answers.servers) == {"control_plane", "worker", "database", "storage", "monitoring"}


def test_the_introduction_says_how_many_servers_a_role_needs_and_what_a_small_site_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _ask(Person())
    shown = capsys.readouterr().err
    assert max(map(len, introduction().splitlines())) <= 120
    assert "at least:\ncontrol_plane 3, worker 3, database 3, storage 4, call 2, li 1, monitoring 1.\n" in shown
    assert "`size: auto`" in shown
    assert "`small`" in shown
    groups = document.read(REFERENCE / "groups.yaml")
    assert isinstance(groups, dict)
    for role in known():
        assert f"{role} {groups[role]['data']['minimum']}" in shown


def test_a_host_outside_the_perimeter_is_asked_for() -> None:
    person = Person({"Hosts outside the perimeter": ["203.0.113.7,2001:db8::7 berlin=192.0.2.7"]})
    assert _ask(person).outside == ("203.0.113.7,2001:db8::7", "berlin=192.0.2.7")
    assert _ask(Person()).outside == ()


@pytest.mark.parametrize("typed", ["203.0.113.7, 2001:db8::7", "203.0.113.7 ,2001:db8::7", "203.0.113.7,2001:db8::7"])
def test_a_comma_with_a_space_joins_the_addresses_of_one_host(typed: str) -> None:
    person = Person({"Hosts outside the perimeter": [f"{typed} berlin=192.0.2.7"]})
    assert _ask(person).outside == ("203.0.113.7,2001:db8::7", "berlin=192.0.2.7")


def test_a_feature_that_wants_servers_nobody_named_asks_for_them() -> None:
    person = Person(
        {
            "TURN server?": ["yes"],
            "call servers": ["", "", "10.0.1.51"],
            "External addresses of the TURN": ["203.0.113.11"],
        }
    )
    answers = _ask(person)
    assert answers.servers["call"] == ("10.0.1.51",)
    assert answers.turn


@pytest.mark.parametrize("word", ["back", "<", " BACK "])
def test_back_goes_to_the_question_before_with_its_former_answer(word: str) -> None:
    person = Person({"worker servers": ["10.0.1.99", "10.0.1.21"], "database servers": [word]})
    answers = _ask(person)
    assert person.defaults("worker") == ["", "10.0.1.99"]
    assert answers.servers["worker"] == ("10.0.1.21",)


def test_enter_keeps_the_former_answer() -> None:
    person = Person({"Expected number": ["50"], "Servers by the number": ["back"]})
    assert _ask(person).concurrent_users == 50
    assert person.defaults("Expected number") == ["100", "50"]
    assert person.defaults("Servers by the number") == ["auto", "auto"]


def test_back_passes_over_questions_that_do_not_apply() -> None:
    person = Person({"LiveKit?": ["back"]})
    _ask(person)
    asked = [words for words, _ in person.heard]
    again = [number for number, words in enumerate(asked) if "LiveKit?" in words]
    assert "TURN server?" in asked[again[0] + 1]


def test_back_at_the_first_question_stays_there(capsys: pytest.CaptureFixture[str]) -> None:
    person = Person({"control_plane servers": ["back"]})
    _ask(person)
    assert "this is the first question" in capsys.readouterr().err
    assert len(person.defaults("control_plane")) == 2


def test_an_answer_that_no_longer_applies_is_left_out() -> None:
    person = Person(
        {
            "Lawful intercept?": ["yes", "no"],
            "li servers": ["", "10.0.2.11", "back"],
            "CIDRs of the isolated": ["10.0.2.0/24", "back"],
            "Its gateway": ["", "back"],
        }
    )
    answers = _ask(person)
    assert person.once == {"Lawful intercept?": [], "li servers": [], "CIDRs of the isolated": [], "Its gateway": []}
    assert not answers.li
    assert answers.li_network == ()
    assert "li" not in answers.servers


def test_none_empties_an_answer_that_may_be_empty() -> None:
    person = Person()
    person.once = {
        "Its gateway": ["10.0.1.1", "none"],
        "Networks from which": ["10.0.9.0/24"],
        "User of the SSH": ["back"],
    }
    assert _ask(person).main_gateway == ()
    assert person.defaults("Its gateway") == ["", "10.0.1.1"]


def test_the_summary_shows_everything_with_what_lint_says_and_leads_back(capsys: pytest.CaptureFixture[str]) -> None:
    person = Person({"Write the site": ["back", "perhaps", "yes"], "Who runs the perimeter": ["", "network team"]})
    answers = _ask(person, lambda answers: [f"warning: {answers.firewall_contact or 'nobody'}"])
    shown = capsys.readouterr().err
    assert answers.firewall_contact == "network team"
    assert shown.index("warning: nobody") < shown.index("warning: network team")
    assert f"servers.worker:          {PLANES}" in shown
    assert "size:                    small" in shown
    assert "'perhaps' is none of yes, no and back" in shown


def test_disks_are_asked_for_and_enter_means_none() -> None:
    person = Person()
    assert _ask(person).database_disks == ()
    assert person.defaults("Whole disks for databases") == [""]
    person = Person({"Whole disks for databases": ["db-1=virtio-data1:200"]})
    person.once["database servers"] = ["db-1=10.0.1.31"]
    assert _ask(person).database_disks == ("db-1=virtio-data1:200",)


def test_a_disk_of_no_server_is_told_and_leads_back(capsys: pytest.CaptureFixture[str]) -> None:
    person = Person({"Whole disks for databases": ["db-9=virtio-data1:200", "none"]})
    shown: list[str] = []

    def walking_back(words: str, default: str) -> str:
        shown.append(capsys.readouterr().err)
        is_told = "no server is called db-9" in "".join(shown)
        if is_told and person.once["Whole disks for databases"] and "Whole disks for databases" not in words:
            return "back"
        return person(words, default)

    assert ask(lambda _: [], "site", walking_back).database_disks == ()
    assert "`back` leads to the question" in "".join(shown)


def test_no_at_the_end_writes_nothing() -> None:
    with pytest.raises(SiteError, match="nothing is written"):
        _ask(Person({"Write the site": ["no"]}))


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        (Question("turn"), "perhaps", "yes or no"),
        (Question("concurrent_users"), "lots", "a whole number"),
        (Question("size"), "tiny", "small"),
        (Question("domain"), "", "required"),
        (Question("main_network"), "", "10.0.1.0/24"),
        (Question("main_network"), "10.0.1.7/24", "10.0.1.0/24"),
        (Question("ingress_servers"), "10.0.1.21", "host names"),
        (ServerQuestion("servers.worker", "worker"), "", "cp-1=10.0.1.11"),
        (ServerQuestion("servers.worker", "worker"), "ten", "such as 10.0.1.11"),
    ],
)
def test_a_wrong_answer_is_told_what_is_expected(question: Question, text: str, expected: str) -> None:
    with pytest.raises(WrongAnswerError, match=expected):
        question.read(text)


def test_a_former_name_is_read_and_not_offered() -> None:
    assert _ask(Person({"Servers by the number": ["lab"]})).size == "small"
    assert Question("size").words.endswith("[auto/small]")


@pytest.mark.parametrize(
    ("given", "proposed"),
    [
        ({"concurrent_users": 4_999, "size": "auto"}, False),
        ({"concurrent_users": 5_000, "size": "auto"}, True),
        ({"concurrent_users": 5_000, "size": "small"}, False),
    ],
)
def test_that_load_decides_is_proposed_where_there_are_many_users(given: dict[str, Any], proposed: bool) -> None:
    assert Question("autoscaling").default(given) is proposed


def test_every_field_and_every_role_is_asked_for() -> None:
    keys = [question.key for question in questions()]
    assert len(set(keys)) == len(keys)
    assert set(Answers.model_fields) - {"servers"} <= set(keys)


def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.open

    def full(path: Path, *arguments: Any, **named: Any) -> Any:
        if path.name == "ports.yaml":
            raise OSError(28, "No space left on device")
        return original(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(SiteError, match="No space left"):
        writing.write(tmp_path / "new" / "site", dict.fromkeys(("site.yaml", "hosts.yaml", "ports.yaml"), "x"))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").write_text("mine", "utf-8")
    original = Path.open

    def interrupted(path: Path, *arguments: Any, **named: Any) -> Any:
        if path.name == "hosts.yaml":
            raise KeyboardInterrupt
        return original(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        writing.write(tmp_path, {"site.yaml": "x", "hosts.yaml": "x"})
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("questions_before", [0, 3])
def test_control_c_on_a_terminal_leaves_nothing_behind(questions_before: int, tmp_path: Path) -> None:
    code, shown = _interrupted(tmp_path / "site", questions_before)
    assert code == 130, shown
    assert "nothing is written" in shown
    assert list(tmp_path.iterdir()) == []


def _interrupted(folder: Path, before: int) -> tuple[int, str]:
    """Answer some questions on a terminal, then press Ctrl-C at the next one."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "flows.site", "init", "--output", str(folder)]
    process = subprocess.Popen(
        command,
        cwd=REFERENCE.parent,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        # Who runs tests in the background of a shell has it ignored, and so would they.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(slave)
    shown, asked = "", 0
    while True:
        try:
            text = os.read(master, 4096).decode()
        except OSError:
            break
        shown += text
        if not text:
            break
        if shown.rsplit("\n", 1)[-1].endswith(": "):
            if asked == before:
                time.sleep(0.1)
                process.send_signal(signal.SIGINT)
            else:
                os.write(master, b"10.0.1.11\n")
            asked += 1
    os.close(master)
    return process.wait(timeout=30), shown
