"""The organisation's mail relay."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.outside.authority import AUTHORITY_FILE
from lab.outside.names import relay_name
from lab.outside.service import PLACE, OutsideContext, OutsideService, Settings
from model.site.site import Site

PROGRAM = Path(__file__).with_name("mail_relay.py")
NAME = "mail"


def _files(context: OutsideContext) -> Mapping[str, str]:
    return {
        "mail_relay.py": PROGRAM.read_text("utf-8"),
        "certificate.pem": context.vouching.issue(relay_name(context.site.settings.domain)),
        "login": "\n".join((*context.login, "")),
    }


def _told(site: Site) -> Settings:
    domain = site.settings.domain
    mail = {"host": relay_name(domain), "ca": AUTHORITY_FILE, "probe": f"probe@{domain}"}
    return {"features": {"smtp": True}, "mail": mail}


MAIL = OutsideService(
    name=NAME,
    title="The organisation's mail relay",
    arguments=f"mail_relay.py /{PLACE}/{NAME}",
    files=_files,
    told=_told,
    silent={"features": {"smtp": None}, "mail": None},
)
