"""Who may read a realm is judged by what the store says, and by site.yaml only before there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from model.check.judgement.secrets import not_apart
from model.rollout.secret_index import SecretIndex
from model.site.secrets import Realm, SecretKeeping
from model.site.site import Site
from tests.mutation import loaded

OURS, THEIRS = "age1" + "q" * 58, "age1" + "p" * 58


def _site(**recipients: tuple[str, ...]) -> Site:
    known = loaded()
    keeping = SecretKeeping.model_validate({"recipients": recipients}) if recipients else SecretKeeping()
    return replace(known, settings=known.settings.model_copy(update={"secrets": keeping}))


def _kept(**recipients: tuple[str, ...]) -> Mapping[Realm, SecretIndex]:
    realms: dict[str, Realm] = {"main": "main", "li": "li"}
    return {
        realms[name]: SecretIndex(realm=realms[name], sha256="", recipients=keys, entries={})
        for name, keys in recipients.items()
    }


@pytest.mark.parametrize(
    ("declared", "kept", "expected"),
    [
        ({"main": (OURS,), "li": (THEIRS,)}, {}, []),
        ({"main": (OURS,), "li": (OURS,)}, {}, ["site.yaml"]),
        ({}, {"main": (OURS,), "li": (THEIRS,)}, []),
        # Nobody is named: both were encrypted for whoever ran it.
        ({}, {"main": (OURS,), "li": (OURS,)}, ["secrets/li.index.json"]),
        # Named since, and not encrypted anew: the files of main and li are open to the former one.
        (
            {"main": (OURS,), "li": (THEIRS,)},
            {"main": (OURS,), "li": (OURS,)},
            ["secrets/li.index.json", "secrets/li.index.json"],
        ),
        ({"main": (OURS,), "li": (THEIRS,)}, {"main": (OURS,), "li": (THEIRS, OURS)}, ["secrets/li.index.json"]),
        ({"main": (OURS,), "li": (THEIRS,)}, {"main": (f"{OURS} ",), "li": (THEIRS,)}, []),
        ({}, {}, []),
    ],
)
def test_the_store_is_judged_before_what_is_declared(
    declared: dict[str, tuple[str, ...]], kept: dict[str, tuple[str, ...]], expected: list[str]
) -> None:
    assert [flaw.file for flaw in not_apart(_site(**declared), _kept(**kept))] == expected
