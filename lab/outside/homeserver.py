"""Another organisation's homeserver: one process of Synapse on SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.outside.authority import AUTHORITY_FILE
from lab.outside.names import PARTNER
from lab.outside.service import PLACE, OutsideContext, OutsideService, Settings
from lab.topology import INTERNET
from model import document
from model.site.site import Site

NAME = "homeserver"
_FOLDER = f"/{PLACE}/{NAME}"
# Only this host's own programs come this way.
_OWN_PORT = 8008
_QUICK = {"per_second": 1000, "burst_count": 1000}


def settings(domain: str, authorities: tuple[str, ...], folder: str = _FOLDER) -> dict[str, Any]:
    """
    Return Synapse's configuration: it federates with `domain` alone, whose certificates one of `authorities` signed.

    Accounts are for the asking: nobody is there who should not have one.
    """
    return {
        "server_name": PARTNER,
        "public_baseurl": f"https://{PARTNER}/",
        "serve_server_wellknown": True,
        "listeners": [
            *(_listener(port, "client", "federation", tls=True) for port in (443, 8448)),
            {**_listener(_OWN_PORT, "client"), "bind_addresses": ["127.0.0.1"]},
        ],
        "tls_certificate_path": f"{folder}/certificate.pem",
        "tls_private_key_path": f"{folder}/certificate.pem",
        "database": {"name": "sqlite3", "args": {"database": f"{folder}/homeserver.db"}},
        "media_store_path": f"{folder}/media",
        "pid_file": f"{folder}/pid",
        "signing_key_path": f"{folder}/signing.key",
        "macaroon_secret_key": "of the lab",
        "form_secret": "of the lab",
        "enable_registration": True,
        "enable_registration_without_verification": True,
        "federation_domain_whitelist": [domain],
        "federation_custom_ca_list": [f"{folder}/{file}" for file in authorities],
        # Addresses for documentation, which Synapse takes for private ones.
        "ip_range_whitelist": [str(INTERNET.ipv4), str(INTERNET.ipv6)],
        "trusted_key_servers": [],
        "report_stats": False,
        "rc_registration": _QUICK,
        "rc_login": dict.fromkeys(("address", "account", "failed_attempts"), _QUICK),
        "rc_joins": dict.fromkeys(("local", "remote"), _QUICK),
        "caches": {"global_factor": 0.2},
    }


def _listener(port: int, *names: str, tls: bool = False) -> dict[str, Any]:
    return {"port": port, "type": "http", "tls": tls, "resources": [{"names": list(names)}]}


def _files(context: OutsideContext) -> Mapping[str, str]:
    trusted = {AUTHORITY_FILE: context.vouching.certificate}
    if context.trusted:
        trusted["site-ca.pem"] = context.trusted
    config = settings(context.site.settings.domain, tuple(trusted))
    return {
        "conf.d/homeserver.yaml": document.dump(config, sort_keys=False),
        "certificate.pem": context.vouching.issue(PARTNER),
        **trusted,
    }


def _told(site: Site) -> Settings:
    addresses = [f"{address}/{address.max_prefixlen}" for vantage in site.vantages for address in vantage.own]
    partners = {"domains": [PARTNER], "networks": addresses, "ca": AUTHORITY_FILE, "probe": PARTNER}
    return {"federation": True, "federation_partners": partners}


_SYNAPSE = f"-m synapse.app.homeserver --config-path {_FOLDER}/conf.d"
HOMESERVER = OutsideService(
    name=NAME,
    title="Another organisation's homeserver",
    arguments=_SYNAPSE,
    files=_files,
    told=_told,
    silent={"federation": False, "federation_partners": None},
)
