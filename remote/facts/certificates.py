"""The certificates that Kubernetes uses on a host; keys are never read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.errors import ProtocolError
from model.host.certificate import Certificate, read

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_SECONDS = 60.0
# Of a kubeconfig only the certificate's line is decoded; of a file with a key in it only the certificate's lines are
# printed.
_SCRIPT = r"""
mf_print() { sed -n '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p'; }
for file in $(find /etc/kubernetes/pki -name '*.crt' 2>/dev/null | sort) /var/lib/kubelet/pki/kubelet-*-current.pem; do
    if [ -f "$file" ]; then echo "file $file"; mf_print <"$file"; fi
done
for file in /etc/kubernetes/*.conf; do
    line=$(sed -n 's/^ *client-certificate-data: *//p' "$file" 2>/dev/null)
    if [ -n "$line" ]; then echo "file $file"; printf %s "$line" | base64 -d | mf_print; fi
done
echo end
"""


def observe(host: Host) -> tuple[Certificate, ...]:
    """
    Return every certificate of Kubernetes' on a host.

    Raises `ProtocolError` for one that cannot be read, and what running a command raises.
    """
    from remote.shell import run

    done = run(host, ("sh", "-s"), stdin=_SCRIPT.encode(), root=True, timeout=_SECONDS).check(host)
    return parse(host.name, done.stdout.decode("utf-8", "replace"))


def parse(host: str, answer: str) -> tuple[Certificate, ...]:
    """Read the answer."""
    if not answer.endswith("end\n"):
        raise ProtocolError(host, "the answer about its certificates is cut short", "is it out of memory?")
    certificates = []
    for part in answer.removesuffix("end\n").split("file ")[1:]:
        path, _, pem = part.partition("\n")
        try:
            certificates.append(read(path, pem.encode()))
        except (ValueError, IndexError) as error:
            raise ProtocolError(
                host, f"{path} holds no certificate that can be read: {error}", "look at the file"
            ) from error
    return tuple(certificates)
