"""Checks of certificates: the site's declared files, every TLS service of the hosts, Kubernetes' own."""

from __future__ import annotations

from checks.check import NODES, SERVERS, ComplianceView, HostCheck, SiteCheck
from model.check.finding import Verdict, settled
from model.host.certificate_chain import Chain, wrongs
from model.host.host_facts import CertificateFiles, HostFacts, Served
from model.site.hosts import Machine
from model.site.names import records
from model.site.tls_services import tls_services


def declared(view: ComplianceView) -> Verdict:
    """Find declared certificates that cannot be read, end soon, do not fit their key, or lack a public name."""
    files, tls, days = view.files, view.site.settings.tls, view.site.settings.compliance.certificate_days
    wrong, seen = [], {}
    endpoint = view.site.settings.kubernetes.endpoint.name
    public = [record for record in records(view.site) if record.view == "main" and record.fixed]
    names = [record.name for record in public if record.name != endpoint]
    chains = {f"certificate {tls.certificate}": (files.certificate, names)} if files.certificate is not None else {}
    chains |= {f"authority {path}": (chain, []) for path, chain in files.authorities.items()}
    for what, (chain, needed) in chains.items():
        if isinstance(chain, str):
            wrong.append(chain)
            continue
        seen[what] = _shown(chain, view)
        wrong += [f"{what} {problem}" for problem in wrongs(chain, view.now, days, needed)]
    if files.key_fits is False:
        wrong.append(f"{tls.private_key} is not the key of {tls.certificate}")
    elif isinstance(files.key_fits, str):
        wrong.append(files.key_fits)
    if not chains:
        return Verdict(pending=f"certificates come by {tls.method} with the rollout; the site declares no file")
    if files.hidden and not wrong:
        return Verdict(
            doubt=f"whether {tls.private_key} is the certificate's key could not be seen: {files.hidden}", evidence=seen
        )
    return settled(wrong, f"{', '.join(chains)} hold for more than {days} days", seen)


def served(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """
    Find TLS services of the host whose certificates end soon, do not hold together, or lack the name they are reached
    by.
    """
    days, names = view.site.settings.compliance.certificate_days, tls_services(view.site, machine)
    wrong: dict[str, None] = {}
    seen: dict[str, object] = {}
    for shown in facts.of(Served).shown:
        where = f"{shown.port}/tcp{f' as {shown.name}' if shown.name else ''}"
        if not shown.chain:
            wrong[f"{where} does not speak TLS: {shown.why or 'no certificate'}"] = None
            continue
        seen[where] = _shown(shown.chain, view)
        needed = (shown.name,) if shown.name in names.get(shown.port, ()) else ()
        wrong |= dict.fromkeys(f"{where}: {problem}" for problem in wrongs(shown.chain, view.now, days, needed))
    if not seen and not wrong:
        return Verdict(pending="no TLS service listens yet")
    return settled(list(wrong), f"{len(seen)} TLS services show certificates that hold", seen)


def kubernetes(view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find certificates in Kubernetes' folders that end soon."""
    chains, days = facts.of(CertificateFiles).chains, view.site.settings.compliance.certificate_days
    if not chains:
        return Verdict(pending="comes with the cluster")
    wrong = [f"{path} {problem}" for path, chain in chains.items() for problem in wrongs(chain[:1], view.now, days)]
    least = min((chain[0].until - view.now).days for chain in chains.values())
    return settled(
        wrong,
        f"{len(chains)} certificates hold for {least} days and more",
        {path: _shown(chain, view) for path, chain in chains.items()},
    )


def _shown(chain: Chain, view: ComplianceView) -> list[dict[str, object]]:
    return [link.to_json(view.now) for link in chain]


CHECKS = (
    SiteCheck(
        id="certificates/site",
        title="The site's declared certificates hold and fit",
        phase="prerequisites",
        looks_at="the PEM files that site.yaml names: chain, names, days left, key",
        by="openssl x509 -noout -text -in FILE",
        remedy="ask the organisation for a certificate of these names, and put it there",
        judge=declared,
    ),
    HostCheck(
        id="certificates/served",
        title="Every TLS service shows a certificate that holds",
        phase="host",
        looks_at="what each listening TLS service of the host shows to a client",
        by="openssl s_client -connect HOST:PORT -servername NAME",
        remedy="renew it where it comes from",
        applies=SERVERS,
        judge=served,
    ),
    HostCheck(
        id="certificates/kubernetes",
        title="Kubernetes' certificates hold",
        phase="cluster",
        looks_at="certificates under /etc/kubernetes and kubelet's own; never a key",
        by="kubeadm certs check-expiration",
        remedy="python -m flows.certificates renew",
        applies=NODES,
        judge=kubernetes,
    ),
)
