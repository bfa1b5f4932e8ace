"""A Redis client whose connection begins where the gate wants it to: in a pod's network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from typing_extensions import override

if TYPE_CHECKING:
    from apps.message_probe.wire import Dial

_SECONDS = 10.0


class DialledRedis(redis.Connection):
    """A connection opened by the gate."""

    def __init__(self, *, dial: Dial, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # the library has no types here
        self._dial = dial

    @override
    def _connect(self) -> socket.socket:
        connected = self._dial(_SECONDS)
        connected.settimeout(_SECONDS)
        return connected


@contextmanager
def client(dial: Dial, password: str) -> Iterator[redis.Redis]:
    """Give a client of one server; nothing that fails is sent again."""
    pool = redis.ConnectionPool(
        connection_class=DialledRedis, dial=dial, password=password or None, protocol=2, decode_responses=True,
        socket_timeout=_SECONDS, retry=Retry(NoBackoff(), 0), health_check_interval=0,
    )  # fmt: skip
    speaking = redis.Redis(connection_pool=pool)
    try:
        yield speaking
    finally:
        speaking.close()
        pool.disconnect()
