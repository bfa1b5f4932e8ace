"""The keys with which the controller logs in to a host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import paramiko
from paramiko.auth_strategy import AuthSource, AuthStrategy, InMemoryPrivateKey, Password
from paramiko.pkey import UnknownKeyType
from typing_extensions import override

from model.errors import Unreachable
from remote.route import Route


class Credentials(AuthStrategy):
    """The route's key files in order, the agent's keys where it may, then a password if there is one."""

    def __init__(self, route: Route) -> None:
        super().__init__(ssh_config=paramiko.SSHConfig())
        self.route = route

    @override
    def get_sources(self) -> Iterator[AuthSource]:
        user = self.route.username
        locked = False
        for path in self.route.key_files:
            key = _private_key(self.route, path)
            if key is None:
                locked = True
            else:
                yield InMemoryPrivateKey(user, key)
        if self.route.agent or locked:
            with closing(paramiko.Agent()) as agent:
                for held in agent.get_keys():
                    yield InMemoryPrivateKey(user, held)
        if self.route.password:
            yield Password(user, lambda: self.route.password or "")


def _private_key(route: Route, path: Path) -> paramiko.PKey | None:
    """Load a key; None for one with a passphrase, which only the agent can use."""
    try:
        return paramiko.PKey.from_path(path)
    except (paramiko.PasswordRequiredException, TypeError):
        # What paramiko loads the newer formats with says TypeError.
        return None
    except FileNotFoundError:
        raise Unreachable(route.name, f"the key file {path} does not exist", "correct `key_file`") from None
    except (OSError, ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise Unreachable(route.name, f"the key file {path} cannot be read: {error}", "correct `key_file`") from None
