"""What containers and events say last, in one line each."""

from __future__ import annotations

from typing import Any

import pytest

from model.rollout.last_words import container_words, event_words


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web-1"}, "status": status}


def entry(name: str, ready: bool = False, **state: Any) -> dict[str, Any]:
    return {"name": name, "ready": ready, "state": state}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({}, ""),
        ({"containerStatuses": [entry("a", ready=True, running={})]}, ""),
        ({"containerStatuses": [entry("a", running={})]}, "web-1/a: runs, not ready"),
        (
            {"containerStatuses": [entry("a", waiting={"reason": "ErrImagePull", "message": "not found"})]},
            "web-1/a: ErrImagePull: not found",
        ),
        ({"containerStatuses": [entry("a", waiting={})]}, "web-1/a: waits"),
        (
            {"containerStatuses": [entry("a", terminated={"exitCode": 3, "reason": "Error"})]},
            "web-1/a: Error: exit code 3",
        ),
        (
            {
                "initContainerStatuses": [
                    entry("before", ready=True, terminated={"exitCode": 0}),
                    entry("next", running={}),
                ],
                "containerStatuses": [entry("a", waiting={"reason": "PodInitializing"})],
            },
            "web-1/next: runs before the others",
        ),
    ],
)
def test_the_first_container_that_is_not_ready_says_why(status: dict[str, Any], words: str) -> None:
    assert container_words([pod(), pod(**status)]) == words


def test_the_last_event_counts() -> None:
    events = [{"reason": "Pulling", "message": "x"}, {"reason": "Failed", "message": "no such image"}]
    assert (event_words([]), event_words(events)) == ("", "Failed: no such image")
