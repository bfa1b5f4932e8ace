"""Changes of certificates."""

from __future__ import annotations

from tests.checks.certificates import issued
from tests.checks.changes import Case, put
from tests.checks.golden import NOW

CASES = (
    Case(
        "certificates/served",
        "w-1",
        put("served", to=[[443, "::1", "chat.example.test", [issued(("chat.example.test",), -1, NOW)[0]], ""]]),
        "expired on",
    ),
    Case(
        "certificates/served",
        "w-1",
        put("served", to=[[443, "::1", "chat.example.test", [issued(("other.example.test",), 300, NOW)[0]], ""]]),
        "does not name",
    ),
    Case(
        "certificates/served",
        "w-1",
        put("served", to=[[443, "::1", "", [], "ConnectionResetError"]]),
        "does not speak TLS",
    ),
    Case(
        "certificates/kubernetes",
        "cp-1",
        put("certificates", to={"/etc/kubernetes/pki/apiserver.crt": [issued(("x.test",), 5, NOW)[0]]}),
        "expires in 5 days",
    ),
)
