"""Whether a request for a kubelet's serving certificate may be signed, going by what the site says of the node."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from model.site.site import Site

SIGNER = "kubernetes.io/kubelet-serving"
_USAGES = frozenset({"digital signature", "key encipherment", "server auth"})


def pending(request: Mapping[str, Any]) -> bool:
    """Return whether a CertificateSigningRequest is for a kubelet's serving certificate and waits for a decision."""
    decided = (request.get("status") or {}).get("conditions")
    return request["spec"].get("signerName") == SIGNER and not decided


def objection(site: Site, request: Mapping[str, Any]) -> str:
    """
    Say why a request must not be signed; empty where nothing speaks against it.

    The node that asks must be one of the site's, and ask for its own name and its declared addresses only.
    """
    from cryptography import x509

    spec = request["spec"]
    asked_by, _, name = spec.get("username", "").rpartition(":")
    machine = site.by_name.get(name)
    if asked_by != "system:node" or machine is None or machine.node is None:
        return f"asked for by {spec.get('username', 'nobody')}, which is no node of the site"
    if not set(spec.get("usages", ())) <= _USAGES:
        return f"asks for more than a server's certificate: {', '.join(spec.get('usages', ()))}"
    try:
        csr = x509.load_pem_x509_csr(base64.b64decode(spec["request"], validate=True))
        alternatives = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, KeyError, binascii.Error, x509.ExtensionNotFound) as error:
        return f"cannot be read: {error}"
    names = set(alternatives.get_values_for_type(x509.DNSName)) - {name}
    addresses = set(alternatives.get_values_for_type(x509.IPAddress)) - {address for _, address in machine.every}
    if names or addresses:
        strange = ", ".join(sorted(map(str, (*names, *addresses))))
        return f"asks for names that hosts.yaml does not give {name}: {strange}"
    return ""
