"""A homeserver of one process, and the ways the probe reaches it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from apps.message_probe.administration import Administration
from apps.message_probe.wire import Origin, dial_to
from tests.apps.proxy import Proxy, proxied
from tests.remote import homeserver
from tests.remote.conftest import free_port
from tests.remote.homeserver import Homeserver

SECRET = b"of a test"


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory, real_synapse: None) -> Iterator[Homeserver]:
    """A real Synapse with media, on this machine's loopback."""
    # As strict as by default: a series must lift it for its own user.
    strict = {"per_second": 0.2, "burst_count": 10}
    with probed(tmp_path_factory.mktemp("probed"), strict) as server:
        yield server


@contextmanager
def probed(folder: Path, messages: Mapping[str, float]) -> Iterator[Homeserver]:
    """Run a Synapse for the probe, with its limit of messages."""
    quick = {"per_second": 1000, "burst_count": 1000}
    more = {
        "rc_login": {"address": quick, "account": quick, "failed_attempts": quick},
        "rc_message": dict(messages),
        "user_directory": {"search_all_users": True},
        "limit_usage_by_mau": False,
        "mau_stats_only": True,
    }
    with homeserver.running(folder, free_port(), more=more) as server:
        yield server


@pytest.fixture
def proxy(synapse: Homeserver) -> Iterator[Proxy]:
    """What stands before it, to be disturbed."""
    with proxied(port_of(synapse)) as running:
        yield running


@pytest.fixture
def public(proxy: Proxy) -> Origin:
    """The way of clients: through the proxy."""
    return Origin(name="127.0.0.1", port=proxy.port, dial=dial_to("127.0.0.1", proxy.port))


@pytest.fixture
def administration(synapse: Homeserver) -> Administration:
    """The way from inside."""
    port = port_of(synapse)
    return Administration(Origin(name="127.0.0.1", port=port, dial=dial_to("127.0.0.1", port)), SECRET)


def port_of(synapse: Homeserver) -> int:
    """Return the port that the server listens on."""
    return int(synapse.url.rpartition(":")[2])
