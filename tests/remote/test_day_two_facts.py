"""What hosts say of etcd, of certificates and of what is left of Kubernetes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from model.errors import ProtocolError
from remote.facts import certificates, etcd_status, remains
from remote.facts.etcd import Member
from tasks.etcd_snapshot import parse_taken

MEMBERS = (
    Member(11, "cp-1", "10.0.0.1", False),
    Member(12, "cp-2", "10.0.0.2", False),
    Member(13, "", "10.0.0.3", True),
)
HEALTH = """{"level":"warn","msg":"x"}
[{"endpoint":"https://10.0.0.1:2379","health":true,"took":"1ms"},\
{"endpoint":"https://10.0.0.2:2379","health":false,"error":"deadline"}]
"""
STATUS = (
    '[{"Endpoint":"https://10.0.0.1:2379","Status":{"header":{"member_id":11,"revision":7},"version":"3.6.8",'
    '"dbSize":20,'
    '"dbSizeInUse":10,"dbSizeQuota":100,"leader":11}}]'
)
ALARMS = '{"header":{},"alarms":[{"memberID":12,"alarm":1}]}'


def test_each_member_has_its_own_state() -> None:
    first, two, three = etcd_status.parse("cp-1", MEMBERS, HEALTH, STATUS, ALARMS)
    assert (first.healthy, first.leads, first.revision, first.size) == (True, True, 7, 20)
    assert (two.healthy, two.error, two.alarms) == (False, "deadline", ("NOSPACE",))
    assert (three.healthy, three.seat.voter, three.seat.name) == (False, False, "10.0.0.3")


def test_silence_of_etcd_is_no_health() -> None:
    assert not any(state.healthy for state in etcd_status.parse("cp-1", MEMBERS, "", "", ""))


def test_an_account_that_cannot_be_understood_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="cannot be understood"):
        etcd_status.parse("cp-1", MEMBERS, '[{"health":true}]', STATUS, ALARMS)


def test_remains_are_read_by_kind() -> None:
    traces = remains.parse("w-1", "unit kubelet.service (enabled active)\npath /etc/kubernetes\nstranger moby\nend\n")
    assert [trace.kind for trace in traces] == ["unit", "path", "stranger"]
    assert remains.foreign_namespaces(traces) == ("moby",)
    assert remains.counted(traces) == "1 unit, 1 path, 1 stranger"


def test_an_answer_cut_short_is_an_error() -> None:
    for answer in ("", "path /etc/kubernetes\n"):
        with pytest.raises(ProtocolError, match="cut short"):
            remains.parse("w-1", answer)


def pem(name: str, days: int) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
    builder = builder.serial_number(5).not_valid_before(now).not_valid_after(now + timedelta(days=days))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def test_certificates_are_read_by_file() -> None:
    answer = f"file /etc/kubernetes/pki/a.crt\n{pem('a', 40)}file /etc/kubernetes/admin.conf\n{pem('b', 10)}end\n"
    first, second = certificates.parse("cp-1", answer)
    assert (first.path, first.subject, first.serial) == ("/etc/kubernetes/pki/a.crt", "CN=a", 5)
    assert first.finding(datetime.now(UTC)) == ""
    assert second.finding(datetime.now(UTC)).startswith("expires in 9 days")


def test_a_file_without_a_certificate_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="holds no certificate"):
        certificates.parse("cp-1", "file /etc/kubernetes/pki/a.crt\nend\n")


def test_a_snapshots_account_is_read_with_its_digest() -> None:
    answer = '{"hash":1,"revision":9,"totalKey":3,"totalSize":20512,"version":"3.6.0"}\n20544\nabc  -\n'
    taken = parse_taken("cp-1", "x.db", answer)
    assert (taken.revision, taken.keys, taken.size, taken.sha256) == (9, 3, 20544, "abc")
    with pytest.raises(ProtocolError):
        parse_taken("cp-1", "x.db", "nothing\n")
