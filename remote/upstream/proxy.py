"""The proxy that leads to a server, and the authorities that this machine trusts."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from urllib3 import PoolManager, ProxyManager, make_headers
from urllib3.exceptions import LocationParseError

from model.errors import BundleError

# Connections kept open to one server.
_KEPT = 16


class ProxyRoutes:
    """Connections, kept open for all threads: straight ones, and those through each proxy of the environment."""

    def __init__(self, authorities: Sequence[Path] = ()) -> None:
        """`authorities` are PEM files that are trusted beside this machine's. Raises BundleError: not one."""
        self._trusted = ssl.create_default_context()
        for path in authorities:
            try:
                self._trusted.load_verify_locations(cafile=path)
            except (OSError, ValueError) as error:
                raise BundleError(f"{path}: is no authority in PEM: {error}", "correct `ca` in site.yaml") from error
        self._managers: dict[str, PoolManager] = {}
        self._lock = threading.Lock()

    def to(self, address: str) -> PoolManager:
        """Return who connects to an address; raises BundleError for a proxy that cannot be used."""
        parts = urlsplit(address)
        proxies = getproxies_environment()
        proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
        if proxy and proxy_bypass(parts.netloc.rpartition("@")[2]):
            proxy = ""
        with self._lock:
            if proxy not in self._managers:
                self._managers[proxy] = _manager(proxy, self._trusted)
            return self._managers[proxy]


def _manager(proxy: str, context: ssl.SSLContext) -> PoolManager:
    if not proxy:
        return PoolManager(ssl_context=context, maxsize=_KEPT)
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    # A password of the proxy is for its own header, and for no message.
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    known = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    try:
        shown = make_headers(proxy_basic_auth=known) if known else {}
        return ProxyManager(where, proxy_headers=shown, ssl_context=context, maxsize=_KEPT)
    except (LocationParseError, ValueError) as error:
        raise BundleError(f"the proxy {where} cannot be used: {error}", "correct HTTPS_PROXY and HTTP_PROXY") from error
