"""A kubeconfig file as the credentials of a TLS connection."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from model.errors import ProtocolError

ADMIN = "/etc/kubernetes/admin.conf"


def tls_context(host: str, text: bytes) -> ssl.SSLContext:
    """
    Return the context that trusts the cluster's CA alone and presents the file's client certificate.

    Nothing is written to a disk. Raises `ProtocolError` for a file that cannot be understood; its content is in no
    message.
    """
    try:
        return _context(yaml.safe_load(text))
    except (yaml.YAMLError, ssl.SSLError, KeyError, IndexError, TypeError, ValueError, binascii.Error) as error:
        # Neither the text of the error nor its chain: both may quote the key.
        what = type(error).__name__
    raise ProtocolError(host, f"its {ADMIN} cannot be understood ({what})", "did kubeadm write it to the end?")


def _context(config: Mapping[str, Any]) -> ssl.SSLContext:
    chosen = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], chosen["cluster"])["cluster"]
    user = _named(config["users"], chosen["user"])["user"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority = base64.b64decode(cluster["certificate-authority-data"], validate=True)
    context.load_verify_locations(cadata=authority.decode("ascii"))
    pair = (user["client-certificate-data"], user["client-key-data"])
    _present(context, b"".join(base64.b64decode(part, validate=True) for part in pair))
    return context


def _named(entries: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    for entry in entries:
        if entry["name"] == name:
            return entry
    raise KeyError(name)


def _present(context: ssl.SSLContext, pair: bytes) -> None:
    """Load a certificate and its key, which Python only does from a file: one that exists in memory alone."""
    descriptor = os.memfd_create("client", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, pair)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
