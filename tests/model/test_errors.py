"""Errors travel between processes as they are."""

from __future__ import annotations

import pickle

import pytest

from model import errors

EVERY = (
    errors.FleetError("what"),
    errors.SiteError("what"),
    errors.SchemaErrors([errors.FieldError("site.yaml", "a.b", "1", "is wrong")], "correct it"),
    errors.SelectionError("what"),
    errors.BundleError("what", "next"),
    errors.PlanRefused("what"),
    errors.LockHeld("what"),
    errors.SourceUnreachable("what", "next"),
    errors.NotToldError("what"),
    errors.OutOfSight("what", "next"),
    errors.SecretsUnreadable("what", "next"),
    errors.NotARecipient("what", "next"),
    errors.HostError("cp-1", "what", "next"),
    errors.Unreachable("cp-1", "what", "next"),
    errors.HostKeyUnknown("cp-1", "what", "next"),
    errors.HostKeyChanged("cp-1", "what", "next"),
    errors.CommandFailed("cp-1", ("ls", "-l"), 2, "what", "next"),
    errors.RootRefused("cp-1", ("ls",), 1, "what"),
    errors.CommandTimeout("cp-1", ("ls",), 3.0),
    errors.ProtocolError("cp-1", "what"),
    errors.KubernetesError("cp-1", "GET", "what", "next", status=404, reason="NotFound"),
    errors.ApiUnreachable("cp-1", "GET", "what"),
    errors.ObjectMissing("cp-1", "GET", "what"),
    errors.WaitExpired("cp-1", "GET", "what"),
)


def _kinds(kind: type[errors.FleetError]) -> set[type[errors.FleetError]]:
    return {kind}.union(*(_kinds(child) for child in kind.__subclasses__()))


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_as_it_went(error: errors.FleetError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (str(back), back.args, vars(back), back.next_step) == (
        str(error),
        error.args,
        vars(error),
        error.next_step,
    )


def test_every_kind_is_tried() -> None:
    ours = {kind for kind in _kinds(errors.FleetError) if kind.__module__ == errors.__name__}
    assert {type(error) for error in EVERY} == ours
