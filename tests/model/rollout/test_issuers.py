"""Who signs the certificates, by the method that the site chose."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import SiteError
from model.rollout.values import issuers
from tests.model.rollout.stacks import ACME, changed, folder, found, site


def test_the_sites_own_authority_signs_every_public_name() -> None:
    certificate = next(m for m in found("issuers", "Certificate") if m["metadata"]["name"] == "matrix-tls")
    assert certificate["spec"]["dnsNames"] == ["matrix.example.test", "example.test", "chat.example.test"]
    assert certificate["spec"]["issuerRef"] == {
        "name": "matrix-fleet",
        "kind": "ClusterIssuer",
        "group": "cert-manager.io",
    }
    root = next(m for m in found("issuers", "Certificate") if m["metadata"]["name"] == "matrix-fleet-root")
    assert root["spec"]["isCA"] is True


def test_acme_goes_to_the_staging_server_where_the_site_says_so() -> None:
    (real,) = found("issuers", "ClusterIssuer", site(changed(tls=ACME)))
    (trial,) = found("issuers", "ClusterIssuer", site(changed(tls={**ACME, "staging": True})))
    assert "staging" not in real["spec"]["acme"]["server"]
    assert "staging" in trial["spec"]["acme"]["server"]


def test_acme_without_an_address_or_a_way_to_write_records_is_refused() -> None:
    with pytest.raises(SiteError, match=r"tls\.email is missing"):
        issuers.values(site(changed(tls={"method": "letsencrypt-http01"})))
    with pytest.raises(SiteError, match=r"tls\.dns01 is missing"):
        issuers.values(site(changed(tls={**ACME, "method": "letsencrypt-dns01"})))


def test_the_organisations_certificate_is_read_and_its_key_comes_from_the_store(tmp_path: Path) -> None:
    known = folder(tmp_path, "-----BEGIN CERTIFICATE-----\n")
    (secret,) = found("issuers", "Secret", known)
    assert secret["type"] == "kubernetes.io/tls"
    assert secret["stringData"] == {
        "tls.crt": "-----BEGIN CERTIFICATE-----\n",
        "tls.key": "@@secret:matrix-tls/tls.key@@",
    }
    assert found("issuers", "Certificate", known) == []
    (tmp_path / "chain.pem").unlink()
    with pytest.raises(SiteError, match=r"tls\.certificate: .*chain\.pem cannot be read"):
        issuers.values(known)
