"""An S3 client whose connections begin where the gate wants them to: in a pod's network."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from typing_extensions import override
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Retry, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from model.kubernetes.service_names import service_name
from remote.gates.pod import GatedPod, service_address

if TYPE_CHECKING:
    from minio import Minio

    from apps.message_probe.wire import Dial
    from remote.gates.gate import GateContext

SERVICE, PORT = "s3", 9000
_SECONDS = 20.0


def objects(
    context: GateContext, source: GatedPod, access_key: str | None = None, secret_key: str | None = None
) -> Minio:
    """Return a client of the site's object storage that speaks from a pod's network; without keys an anonymous one."""
    from minio import Minio

    storage = context.site.settings.object_storage
    if storage.endpoint:
        parts = urlsplit(storage.endpoint)
        secure = parts.scheme == "https"
        endpoint, port = parts.netloc, parts.port or (443 if secure else 80)
        dial = source.dial(parts.hostname or "", port)
    else:
        endpoint, secure = f"{service_name(SERVICE, 'matrix')}:{PORT}", False
        dial = source.dial(service_address(context, "matrix", SERVICE), PORT)
    trusted = _trusted(context) if secure else None
    return Minio(
        endpoint=endpoint, access_key=access_key, secret_key=secret_key, secure=secure, region=storage.region,
        http_client=dialled_pool(dial, trusted),
    )  # fmt: skip


def dialled_pool(dial: Dial, trusted: ssl.SSLContext | None = None) -> PoolManager:
    """Return a pool of connections that are all opened by `dial`; a request that fails is not sent again."""
    options: dict[str, Any] = {"ssl_context": trusted} if trusted else {}
    pool = PoolManager(timeout=Timeout(_SECONDS), retries=Retry(0, redirect=False), **options)
    pool.pool_classes_by_scheme = {"http": _http(dial), "https": _https(dial)}
    return pool


def _http(dial: Dial) -> type[HTTPConnectionPool]:
    class DialledConnection(HTTPConnection):
        """Opened by the gate."""

        @override
        def _new_conn(self) -> socket.socket:
            return dial(_SECONDS)

    return type("DialledPool", (HTTPConnectionPool,), {"ConnectionCls": DialledConnection})


def _https(dial: Dial) -> type[HTTPSConnectionPool]:
    class DialledTlsConnection(HTTPSConnection):
        """Opened by the gate, encrypted from here."""

        @override
        def _new_conn(self) -> socket.socket:
            return dial(_SECONDS)

    return type("DialledTlsPool", (HTTPSConnectionPool,), {"ConnectionCls": DialledTlsConnection})


def _trusted(context: GateContext) -> ssl.SSLContext:
    trusted = ssl.create_default_context()
    if authority := context.site.settings.object_storage.ca:
        trusted.load_verify_locations(cafile=str(context.site.folder / authority))
    return trusted


def complaint(act: Callable[[], object]) -> str:
    """Return what a request's failure says in one line, nothing where it worked. Keys are never part of it."""
    from minio.error import MinioException
    from urllib3.exceptions import HTTPError

    try:
        act()
    except MinioException as error:
        return f"{getattr(error, 'code', type(error).__name__)}: {getattr(error, 'message', error)}"
    except (HTTPError, OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""
