"""A token is handed out when hosts that join would find it signed for, and not before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from nornir.core.inventory import Host

from model.errors import Unreachable
from remote import shell
from remote.shell import Completed
from tasks import invitation
from tests.checks.certificates import issued

_UNSIGNED = (b"", b'{"data": {"kubeconfig": "...", "jws-kubeconfig-zzzzzz": "..."}}')
_SIGNED = b'{"data": {"jws-kubeconfig-abcdef": "..."}}'


def _plane(monkeypatch: pytest.MonkeyPatch, tokens: Iterator[bytes]) -> list[str]:
    """Let a control plane tell its cluster's information anew each time; return the commands it is given."""
    asked: list[str] = []

    def run(_host: Host, argv: Sequence[str], **_more: Any) -> Completed:
        asked.append(argv[0])
        outputs = {"kubeadm": b"abcdef.0123456789abcdef\n", "cat": issued(["kubernetes"], 30)[0].encode()}
        out = outputs[argv[0]] if argv[0] in outputs else next(tokens)
        return Completed(tuple(argv), 0 if out else 1, out, b"", 0.0)

    monkeypatch.setattr(shell, "run", run)
    monkeypatch.setattr(invitation, "_PAUSE_SECONDS", 0.0)
    return asked


def test_an_invitation_waits_for_its_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _plane(monkeypatch, iter((*_UNSIGNED, _SIGNED)))
    invited = invitation.invite(Host("cp-1"))
    assert asked == ["kubeadm", "cat", "kubectl", "kubectl", "kubectl"]
    assert invited.token.get_secret_value() == "abcdef.0123456789abcdef"
    assert invited.ca_hash.startswith("sha256:")


@pytest.mark.parametrize("breaks", [1, 2])
def test_a_connection_that_breaks_costs_a_token_and_not_the_host_that_joins(
    monkeypatch: pytest.MonkeyPatch, breaks: int
) -> None:
    asked = _plane(monkeypatch, iter((_SIGNED,)))
    answers, left = shell.run, [breaks]

    def run(host: Host, argv: Sequence[str], **more: Any) -> Completed:
        if argv[0] == "kubeadm" and left[0]:
            left[0] -= 1
            raise Unreachable("cp-1", "the connection broke", "is the host up?")
        return answers(host, argv, **more)

    monkeypatch.setattr(shell, "run", run)
    if breaks > 1:
        with pytest.raises(Unreachable):
            invitation.invite(Host("cp-1"))
    else:
        assert invitation.invite(Host("cp-1")).token.get_secret_value()
        assert asked == ["kubeadm", "cat", "kubectl"]


def test_what_nobody_signs_is_left_to_kubeadm_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _plane(monkeypatch, iter(lambda: b"{}", None))
    monkeypatch.setattr(invitation, "_TOKEN_SECONDS", 0.05)
    assert invitation.invite(Host("cp-1")).token.get_secret_value()
    assert asked.count("kubectl") > 1
