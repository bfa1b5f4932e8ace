"""One control plane as an endpoint of the Kubernetes API, over its SSH connection, with its own credentials."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from model.base import Address
from model.errors import HostError
from remote.installed import keep_out
from remote.kubeconfig import ADMIN, tls_context
from remote.shell import run, session

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from nornir.core.inventory import Host
    from paramiko import Channel
    from urllib3 import HTTPSConnectionPool

API_PORT = 6443
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request: `path` and `query` as Kubernetes documents them, `seconds` for each wait of it."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    content: str = "application/json"
    seconds: float = 10.0

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def repeatable(self) -> bool:
        """Return whether it may be carried out twice without harm."""
        return self.method != "POST"


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What came back: HTTP's status and the body as it came."""

    host: str
    status: int
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body as an object; empty where it is none."""
        try:
            content = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    @property
    def passing(self) -> bool:
        """
        Return whether the server only could not serve just then: overloaded, starting, or its etcd elects a leader.
        """
        return self.status in (429, 502, 503, 504) or (self.status == 500 and b"etcdserver: " in self.body)


class NoApiAnswer(Exception):
    """An endpoint gave no answer; `sent` where the request may have reached the server."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class ApiEndpoint:
    """
    A control plane, its connection opened at the first request.

    The server's certificate must be good for `endpoint`, by the CA of the host's own admin.conf.
    """

    def __init__(self, host: Host, address: Address, endpoint: str, port: int = API_PORT, admin: str = ADMIN) -> None:
        self.host = host
        self.name = host.name
        self._server = (str(address), port)
        self._endpoint = endpoint
        self._admin = admin
        self._opening = threading.Lock()
        self._client: ApiClient | None = None
        self._pool: HTTPSConnectionPool | None = None

    def ask(self, request: ApiRequest) -> ApiAnswer:
        """
        Send a request and return its answer, whatever its status.

        Raises `NoApiAnswer`, and `OutOfSight` for the scheduled identity.
        """
        client = self._opened()
        from kubernetes.client import ApiException
        from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

        headers = {"Content-Type": request.content, "Accept": "application/json"}
        call = client.param_serialize(request.method, request.path, None, list(request.query), headers, request.body)
        try:
            response = client.call_api(*call, _request_timeout=(CONNECT_SECONDS, request.seconds))
            return ApiAnswer(self.name, response.status, response.response.data)
        except HostError as error:
            raise NoApiAnswer(error.message, sent=False) from None
        except (ApiException, HTTPError, OSError, EOFError) as error:
            self.close()
            unsent = isinstance(error, NewConnectionError | ConnectTimeoutError)
            raise NoApiAnswer(_why(error), sent=not unsent) from None

    def close(self) -> None:
        """Let go of all its connections; the next request opens new ones."""
        with self._opening:
            pool, self._client, self._pool = self._pool, None, None
        if pool is not None:
            pool.close()

    def _opened(self) -> ApiClient:
        with self._opening:
            if self._client is None:
                self._client = self._open()
            return self._client

    def _open(self) -> ApiClient:
        keep_out(self.host, "ask the cluster's API")
        try:
            done = run(self.host, ("cat", self._admin), root=True, timeout=CONNECT_SECONDS)
        except HostError as error:
            raise NoApiAnswer(error.message, sent=False) from None
        if done.exit_code != 0:
            raise NoApiAnswer(f"has no {self._admin} yet: is it a control plane by now?", sent=False)
        from kubernetes.client import ApiClient, Configuration

        from remote.tunnel import tunnel_pool

        context = tls_context(self.name, done.stdout)
        self._pool = tunnel_pool(self._endpoint, self._server[1], self._dial, context, CONNECT_SECONDS)
        client = ApiClient(Configuration(host=""))
        client.rest_client.pool_manager = cast(Any, self._pool)
        client.user_agent = "matrix-fleet"
        return client

    def _dial(self, seconds: float) -> Channel:
        from remote.tunnel import open_tunnel

        return open_tunnel(self.name, session(self.host), self._server, seconds)


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason) or type(reason).__name__
