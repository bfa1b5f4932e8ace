"""Claims about which kubelets get a serving certificate."""

from __future__ import annotations

import base64
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from model.kubernetes.serving import SIGNER, objection, pending
from tests.mutation import loaded

SITE = loaded()


def _request(node: str, names: list[str], addresses: list[str], **spec: Any) -> dict[str, Any]:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"system:node:{node}")])
    alternatives = [*map(x509.DNSName, names), *(x509.IPAddress(ip_address(address)) for address in addresses)]
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    csr = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False).sign(
        ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()
    )
    from cryptography.hazmat.primitives.serialization import Encoding

    return {
        "spec": {
            "signerName": SIGNER,
            "username": f"system:node:{node}",
            "usages": ["digital signature", "server auth"],
            "request": base64.b64encode(csr.public_bytes(Encoding.PEM)).decode(),
            **spec,
        }
    }


def test_a_node_of_the_site_may_ask_for_its_own_name_and_addresses() -> None:
    assert objection(SITE, _request("w-1", ["w-1"], ["10.20.1.21", "fd20:1::21"])) == ""


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        (_request("w-1", ["w-1", "api.example.test"], ["10.20.1.21"]), "api.example.test"),
        (_request("w-1", ["w-1"], ["10.20.1.11"]), "10.20.1.11"),
        (_request("w-9", ["w-9"], ["10.20.1.29"]), "no node of the site"),
        (_request("vantage-1", ["vantage-1"], []), "no node of the site"),
        (_request("w-1", ["w-1"], [], username="kubernetes-admin"), "no node of the site"),
        (_request("w-1", ["w-1"], [], usages=["client auth"]), "client auth"),
        (_request("w-1", ["w-1"], [], request="bm8="), "cannot be read"),
    ],
)
def test_anything_else_is_objected_to(request_: dict[str, Any], word: str) -> None:
    assert word in objection(SITE, request_)


def test_only_undecided_requests_for_serving_certificates_are_pending() -> None:
    request = _request("w-1", ["w-1"], [])
    assert pending(request)
    assert not pending({**request, "status": {"conditions": [{"type": "Approved"}]}})
    assert not pending({"spec": {**request["spec"], "signerName": "kubernetes.io/kube-apiserver-client-kubelet"}})
