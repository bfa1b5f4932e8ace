"""
Mail over the organisation's relay, which asks for TLS and a login.

Synapse sends five such mails of one client in a row and then one in five minutes, so each gate is tried once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.matrix.outward.conftest import Outward

pytestmark = pytest.mark.all
_PLACE = "/opt/outside/mail"


def mails(outward: Outward) -> list[str]:
    """Return the names of the mails that the relay has kept."""
    return outward.outside("find", f"{_PLACE}/mailbox", "-name", "*.eml").split()


def test_the_rollout_saw_a_mail_taken_and_it_lies_in_the_mailbox(outward: Outward) -> None:
    gate = outward.first["mail"]
    assert gate["status"] == "ok", gate
    assert "smtp.example.test port 587 took a mail of Synapse's to probe@example.test" in gate["why"]
    text = outward.outside("cat", max(mails(outward)))
    for line in ("Return-Path: <matrix@example.test>", "Delivered-To: probe@example.test", "From: Matrix <matrix@"):
        assert f"\n{line}" in f"\n{text}"


@contextmanager
def told(outward: Outward, file: str) -> Iterator[None]:
    """Have the relay refuse while the block runs."""
    outward.outside("touch", f"{_PLACE}/{file}")
    try:
        yield
    finally:
        outward.outside("rm", f"{_PLACE}/{file}")


@pytest.mark.parametrize("file", ["refuse-recipients", "refuse-messages"])
def test_a_relay_that_refuses_or_does_not_deliver_is_found(outward: Outward, file: str) -> None:
    before = mails(outward)
    with told(outward, file):
        gate = outward.gate("mail")
    assert gate["status"] == "drift", gate
    assert "could not send a mail to probe@example.test by smtp.example.test port 587" in gate["why"]
    assert mails(outward) == before


def test_a_login_that_the_relay_does_not_know_is_found(outward: Outward) -> None:
    login = f"{_PLACE}/login"
    outward.outside("cp", login, f"{login}.kept")
    try:
        outward.outside("sh", "-c", f"printf 'matrix\\nanother\\n' > {login} && systemctl restart mail")
        assert outward.gate("mail")["status"] == "drift"
    finally:
        outward.outside("sh", "-c", f"mv {login}.kept {login} && systemctl restart mail")


def test_a_relay_that_is_away_is_found(outward: Outward) -> None:
    outward.outside("systemctl", "stop", "mail")
    try:
        gate = outward.gate("mail")
        assert gate["status"] == "drift", gate
    finally:
        outward.outside("systemctl", "start", "mail")
