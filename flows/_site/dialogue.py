"""A person is asked for what a site needs, with a way back, and sees the whole before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import typer

from flows._site.checking import WrongAnswerError, checked
from flows._site.questions import Given, Question, ServerQuestion, questions
from model.errors import SiteError
from model.site import sizing
from model.site.answers import Answers
from model.site.roles import known

BACK = ("back", "<")
_INTRODUCTION = """\
Several values are separated by spaces; Enter takes what stands in brackets, `none` empties an answer that may be empty.
`back` or `<` goes to the question before. Nothing is written before the end; Ctrl-C leaves nothing behind.
Servers come first, by role: addresses such as 10.0.1.11 or 10.0.1.11,fd00::11 or cp-1=10.0.1.11.
A server may stand under several roles. Each role that the site wants needs at least:
{needed}.
That is `size: auto`, and more users need more servers. A small site answers `small` there: lint then only warns of
fewer; for up to {users} users five servers with several roles each are recommended (docs/sizing.md)."""
# Takes a question and what Enter answers, returns what was typed.
Prompt = Callable[[str, str], str]


def ask(findings: Callable[[Answers], Sequence[str]], place: str, prompt: Prompt | None = None) -> Answers:
    """
    Return the answers that a person agrees to have written into `place`; `findings` says what lint thinks of them.

    Raises `SiteError` when the person does not agree.
    """
    prompt = prompt or _prompt
    asked, given = questions(), dict[str, Any]()
    try:
        typer.echo(introduction(), err=True)
        position = _walk(asked, 0, given, prompt)
        while not _agreed(asked, given, findings, place, prompt):
            position = _walk(asked, _before(asked, position, given), given, prompt)
        return _whole(asked, given)
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("\nended; nothing is written", err=True)
        raise


def introduction() -> str:
    """Return what a person should know before the first question, with how many servers each role needs."""
    sizes = sizing.at(sizing.SMALL_USERS)
    needed = ", ".join(f"{name} {sizes[kind.purpose].servers}" for name, kind in known().items())
    return _INTRODUCTION.format(needed=needed, users=sizing.SMALL_USERS)


def _walk(asked: Sequence[Question], position: int, given: dict[str, Any], prompt: Prompt) -> int:
    """Ask from `position` to the end, back and forth as the person wants; return the end."""
    while position < len(asked):
        question = asked[position]
        if not question.applies(given) or _answered(question, given, prompt):
            position += 1
        else:
            position = _before(asked, position, given)
    return position


def _before(asked: Sequence[Question], position: int, given: Given) -> int:
    """Return the place of the question before that applies; the first one has none before it."""
    earlier = [place for place in range(position) if asked[place].applies(given)]
    if not earlier:
        typer.echo("  this is the first question", err=True)
    return earlier[-1] if earlier else position


def _answered(question: Question, given: dict[str, Any], prompt: Prompt) -> bool:
    """Ask one question until its answer is one; return False when the person wants to go back."""
    former = given.get(question.key, question.default(given))
    while True:
        text = prompt(question.words, question.shown(former))
        if text.strip().lower() in BACK:
            return False
        try:
            given[question.key] = question.read(text)
        except WrongAnswerError as error:
            typer.echo(f"  {error}", err=True)
        else:
            return True


def _agreed(
    asked: Sequence[Question],
    given: Given,
    findings: Callable[[Answers], Sequence[str]],
    place: str,
    prompt: Prompt,
) -> bool:
    """Show everything and ask for agreement; return False when the person wants to go back."""
    typer.echo("\nThese are the answers:", err=True)
    for question in asked:
        if question.applies(given) and question.shown(given[question.key]):
            name = question.key.replace("late.", "servers.")
            typer.echo(f"  {name + ':':<24} {question.shown(given[question.key])}", err=True)
    try:
        answers = _whole(asked, given)
    except SiteError as error:
        typer.echo(f"  {error}\n  `back` leads to the question that it is about", err=True)
        return False
    for line in findings(answers):
        typer.echo(f"  {line}", err=True)
    while True:
        text = prompt(f"Write the site into {place}? [yes/no/back]", "yes").strip().lower()
        if text in BACK:
            return False
        if text in ("yes", "y"):
            return True
        if text in ("no", "n"):
            raise SiteError("nothing is written", next_step="python -m flows.site init asks again")
        typer.echo(f"  {text!r} is none of yes, no and back", err=True)


def _whole(asked: Sequence[Question], given: Given) -> Answers:
    """Return the answers of the questions that apply, as one."""
    chosen = [question for question in asked if question.applies(given)]
    servers = {
        question.role: given[question.key]
        for question in chosen
        if isinstance(question, ServerQuestion) and given[question.key]
    }
    rest = {question.key: given[question.key] for question in chosen if not isinstance(question, ServerQuestion)}
    return checked({**rest, "servers": servers}, "(answers)")


def _prompt(words: str, default: str) -> str:
    return str(typer.prompt(words, default=default, err=True, show_default=bool(default)))
