"""Running labs for tests that need real hosts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from tests.lab.driver import Lab, booted

# Each of several processes that run tests has labs of its own.
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")


def _up(name: str, *options: str) -> Iterator[Lab]:
    with booted(name + _WORKER, *options) as lab:
        yield lab


def managed_lab(name: str) -> Iterator[Lab]:
    """Boot a small lab whose firewalls are as the matrix says."""
    for lab in _up(name, "--profile", "small"):
        done = lab.run((sys.executable, "-m", "flows.firewall"))
        assert done.returncode == 0, done.stdout + done.stderr
        yield lab


@pytest.fixture(scope="session")
def lab(real_machine: None) -> Iterator[Lab]:
    """The small lab, shared by all tests of a session: leave it as you found it."""
    yield from _up("t", "--profile", "small")


@pytest.fixture(scope="module")
def bare_lab(real_machine: None) -> Iterator[Lab]:
    """The small lab whose servers lack ufw, sudo and python3."""
    yield from _up("tb", "--profile", "small", "--bare")


@pytest.fixture
def own_lab(real_machine: None) -> Iterator[Lab]:
    """A small lab of one test's own, which may be treated badly."""
    yield from _up("tc", "--profile", "small")
