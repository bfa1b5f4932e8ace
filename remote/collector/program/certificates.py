"""Which certificates lie in Kubernetes' folders, and which does the host show to whoever connects to its own services? Never a key."""

from __future__ import annotations

import base64
import re
from typing import Any

from remote.collector.program.ask import matching, output, text

Wishes = dict[str, Any]
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_DATA = re.compile(r"^ *client-certificate-data: *(\S+)", re.MULTILINE)
_LISTENER = re.compile(r"^tcp\s+\S+\s+\S+\s+\S+\s+(\S+):(\d+)\s")
_SECONDS = 2.0


def files(_wishes: Wishes) -> Any:
    """Return certificates by file; of a file with a key in it only the certificates."""
    paths = [*matching("/etc/kubernetes/pki", "**/*.crt"), *matching("/var/lib/kubelet/pki", "kubelet-*-current.pem")]
    found = {str(path): _PEM.findall(text(path) or "") for path in paths}
    for path in matching("/etc/kubernetes", "*.conf"):
        data = "".join(base64.b64decode(said).decode() for said in _DATA.findall(text(path) or ""))
        if data:
            found[str(path)] = _PEM.findall(data)
    return found


def served(wishes: Wishes) -> Any:
    """Return, for each asked port that is listened on, what a TLS client is shown under each name (empty: under none)."""
    asked = {each["port"]: each["names"] or [""] for each in wishes.get("tls", ())}
    places: dict[int, list[str]] = {}
    for line in output("ss", "-Hlnt").splitlines() if asked else ():
        found = _LISTENER.match(f"tcp {line}")
        if found and int(found[2]) in asked:
            places.setdefault(int(found[2]), []).append(found[1])
    shown: list[list[Any]] = []
    for port, hosts in places.items():
        address = _reachable(hosts)
        shown += [[port, address, name, *_chain(address, port, name)] for name in asked[port]]
    return shown


def _reachable(places: list[str]) -> str:
    plain = [place.partition("%")[0].strip("[]") for place in places]
    for wildcard, loopback in (("0.0.0.0", "127.0.0.1"), ("*", "::1"), ("::", "::1")):  # noqa: S104 - what ss prints
        if wildcard in plain:
            return loopback
    return plain[0]


def _chain(address: str, port: int, name: str) -> tuple[list[str], str]:
    """Return the chain as PEM texts, and why there is none."""
    import socket
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # What is shown is looked at, never trusted: nothing is sent.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((address, port), _SECONDS) as raw:
            raw.settimeout(_SECONDS)
            with context.wrap_socket(raw, server_hostname=name or None) as secured:
                return [ssl.DER_cert_to_PEM_cert(part) for part in _parts(secured)], ""
    except OSError as error:
        return [], f"{type(error).__name__}: {error}"


def _parts(secured: Any) -> list[bytes]:
    """Python before 3.13 tells the whole chain only inside."""
    if hasattr(secured, "get_unverified_chain"):
        return list(secured.get_unverified_chain() or ())
    inner: Any = getattr(secured, "_sslobj", None)
    if hasattr(inner, "get_unverified_chain"):
        return [part.public_bytes(2) for part in inner.get_unverified_chain() or ()]
    leaf = secured.getpeercert(binary_form=True)
    return [leaf] if leaf else []
