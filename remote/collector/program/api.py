"""How is a service of this very host asked by HTTPS, with the certificates that lie on it? Read, never written to."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from remote.collector.program.ask import Failed

if TYPE_CHECKING:
    import http.client
    import ssl

_SECONDS = 5.0
_PAGE = 500
_MOST_BYTES = 64 << 20


class Api:
    """
    One kept connection to a port of loopback. `client` are the texts of certificate and key.
    """

    def __init__(self, port: int, authority: str, client: tuple[str, str]) -> None:
        import http.client
        import ssl

        context = ssl.create_default_context(cafile=authority)
        _present(context, client)
        self._port = port
        self._connection: http.client.HTTPSConnection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=_SECONDS, context=context
        )

    def ask(self, path: str, body: Any = None) -> tuple[int, str]:
        """Return the status and the text; `body` goes by POST, which etcd wants of whoever only reads. Raises Failed."""
        import http.client

        data = None if body is None else json.dumps(body).encode()
        try:
            self._connection.request("GET" if data is None else "POST", path, data, {"Accept": "application/json"})
            answer = self._connection.getresponse()
            return answer.status, answer.read(_MOST_BYTES).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Failed(f"port {self._port} of this host does not answer: {type(error).__name__}: {error}") from None

    def get(self, path: str, body: Any = None) -> Any:
        """Return the JSON of a path; raises Failed for anything but success."""
        status, text = self.ask(path, body)
        if status != 200:
            raise Failed(f"port {self._port} answers {path} with {status}: {text[:200].strip()}")
        return json.loads(text)

    def items(self, path: str) -> list[Any]:
        """Return every object of a collection of Kubernetes'."""
        from urllib.parse import quote

        found: list[Any] = []
        onward = ""
        while True:
            page = self.get(f"{path}?limit={_PAGE}{f'&continue={quote(onward)}' if onward else ''}")
            found += page.get("items") or ()
            onward = page["metadata"].get("continue", "")
            if not onward:
                return found


def _present(context: ssl.SSLContext, client: tuple[str, str]) -> None:
    """Python takes a key only by its path: a file in memory has one, and never lies on a disk."""
    file = os.memfd_create("client")
    try:
        os.write(file, "\n".join(client).encode())
        context.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
