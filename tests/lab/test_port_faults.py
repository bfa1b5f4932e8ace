"""
Whatever rule of netfilter breaks the port matrix, the proof says so, says nothing else, and names who did it.

Plain sockets tell what is so. A failure prints the fault; `--port-fault` tries that one again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.lab.conftest import managed_lab
from tests.lab.driver import Lab
from tests.lab.port_faults.drawing import faults
from tests.lab.port_faults.fault import Fault, parse
from tests.lab.port_faults.ledger import BROKE, Ledger
from tests.lab.port_faults.truth import Matrix
from tests.lab.port_faults.trying import SERVERS, green, trial

# Of a series that stays the same from run to run.
_SEED = 2026
_SECONDS_EACH = 20
# Every so often the whole site is proven, and not the fault's host alone.
_WHOLE = 10


@pytest.fixture(scope="module")
def managed(real_machine: None) -> Iterator[Lab]:
    yield from managed_lab("gen")


@pytest.fixture(scope="module")
def declared(managed: Lab) -> Matrix:
    return green(managed)


@pytest.fixture
def options(request: pytest.FixtureRequest) -> pytest.Config:
    return request.config


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_a_few_faults_are_told_as_they_are(
    managed: Lab, declared: Matrix, options: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    if one := options.getoption("port_fault"):
        ledger = Ledger(0, 1)
        _try(managed, declared, parse(one), ledger)
    else:
        ledger = _series(managed, declared, 10, _SEED)
    _tell(ledger, capsys)


@pytest.mark.faults
@pytest.mark.timeout(0)
def test_many_faults_are_told_as_they_are(
    managed: Lab, declared: Matrix, options: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = _series(managed, declared, options.getoption("port_faults"), options.getoption("port_faults_seed"))
    ledger.write(options.getoption("port_faults_ledger"))
    _tell(ledger, capsys)


def _series(lab: Lab, declared: Matrix, number: int, start: int) -> Ledger:
    """Try so many faults of a seed, as far as the time goes that they may take."""
    ledger, end = Ledger(start, number), time.monotonic() + number * _SECONDS_EACH

    @seed(start)
    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(faults(declared, SERVERS))
    def each(fault: Fault) -> None:
        if time.monotonic() < end:
            _try(lab, declared, fault, ledger)

    each()
    return ledger


def _try(lab: Lab, declared: Matrix, fault: Fault, ledger: Ledger) -> None:
    try:
        ledger.trials.append(trial(lab, declared, fault, whole=len(ledger.trials) % _WHOLE == _WHOLE - 1))
    except AssertionError as error:
        ledger.broken_off.append(f"{fault}\n    {BROKE}: {error}")


def _tell(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{ledger}")
    assert ledger.trials, "no fault was tried"
    assert not ledger.wrong, "\n".join(ledger.wrong)
    assert ledger.trials
