"""Which tests need a machine of their own, and what all others must do without."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from model.site.load import load_site
from model.site.site import Site
from tests import hermetic
from tests.mutation import REFERENCE, loaded, same
from tests.remote import homeserver

# Who asks for one of these is marked `machine`.
OF_A_MACHINE = frozenset({"real_machine", "debian_tools", "real_synapse"})
CLUSTER = Path(__file__).parent / "cluster"
# `make unit` draws fewer examples of each property; `make test` draws all.
settings.register_profile("unit", max_examples=20, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Flags of tests that draw at random (tests/lab/test_port_faults.py)."""
    group = parser.getgroup("port faults")
    group.addoption("--port-faults", type=int, default=200, metavar="N", help="how many faults `-k many` draws")
    group.addoption("--port-faults-seed", type=int, default=1, metavar="S", help="the seed that it draws them from")
    group.addoption("--port-faults-ledger", default="", metavar="FILE", help="where it writes what they came to")
    group.addoption("--port-fault", default="", metavar="JSON", help="try this one, as a failure printed it")


@pytest.fixture(scope="session")
def real_machine() -> None:
    """Root, network namespaces, a real sshd: what only a machine that `make setup` has prepared gives."""
    if os.geteuid() != 0:
        pytest.fail("this test needs root on a machine that `make setup` has prepared; `make unit` leaves it out")


@pytest.fixture(scope="session")
def untouched_site() -> Site:
    """The reference site as its files say, which no test is given."""
    return load_site(REFERENCE)


@pytest.fixture(scope="module", autouse=True)
def shared_site(untouched_site: Site) -> Iterator[None]:
    """Whoever wants another reference site makes one; the one that all tests share stays as it is."""
    yield
    assert same(loaded(), untouched_site), "a test of this file changed the site that `tests.mutation.loaded` shares"


@pytest.fixture(scope="session")
def debian_tools() -> None:
    """apt, dpkg-dev and GnuPG, of which not every machine has all."""
    missing = [name for name in ("apt-get", "dpkg-deb", "dpkg-scanpackages", "gpg") if not shutil.which(name)]
    if missing:
        pytest.fail(f"this test needs {', '.join(missing)}, which `make setup` brings; `make unit` leaves it out")


@pytest.fixture(scope="session")
def real_synapse() -> None:
    """A homeserver in an environment of its own, which `make synapse` makes."""
    if not homeserver.PYTHON.exists():
        pytest.fail("this test needs Synapse, which `make synapse` brings; `make unit` leaves it out")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a machine, by its fixtures or its folder, before `-m` chooses."""
    for item in items:
        if OF_A_MACHINE.intersection(getattr(item, "fixturenames", ())) or CLUSTER in item.path.parents:
            item.add_marker(pytest.mark.machine)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Refuse to all other tests the machine's programs and every network but loopback, to root as well."""
    with hermetic.refusing(not item.get_closest_marker("machine")):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Refuse as for the set-up; what is taken down may belong to tests that were here before."""
    with hermetic.refusing(not item.get_closest_marker("machine")):
        return (yield)
