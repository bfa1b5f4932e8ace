"""Mail, federation and pushes as Synapse is told of them; what is off leaves no trace."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.errors import SiteError
from model.rollout.rendered import RenderedComponent
from model.rollout.synapse.check_files import STAND_IN, check_files, configs
from model.rollout.synapse.config_audit import audit
from model.site.site import Site
from tests.model.rollout.stacks import APNS, FIREBASE, PARTNERS, SITES, changed, render, site, stack
from tests.model.rollout.synapse.synapse_sites import running

MAIL = {"host": "mail.example.test", "sender": "no-reply@example.test", "probe": "sink@example.test"}


def synapse(known: Site) -> RenderedComponent:
    return next(part for part in render(known).components if part.name == "synapse")


def homeserver(known: Site) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(synapse(known).files["homeserver.yaml"])
    return config


def named(part: RenderedComponent, kind: str, name: str) -> dict[str, Any]:
    return next(found for found in part.objects if (found["kind"], found["metadata"]["name"]) == (kind, name))


@pytest.mark.parametrize("size", ["small", "20000"])
def test_what_is_off_leaves_no_trace_whatever_is_said_of_it(size: str) -> None:
    said = changed(
        mail=MAIL | {"login": False, "tls": "none"}, push={**APNS, **FIREBASE}, federation_partners=PARTNERS,
        **({} if size == "small" else {"size": "auto", "concurrent_users": 20_000}),
    )  # fmt: skip
    silent, telling = stack(size), render(site(said))
    assert [(part.name, part.objects, part.files) for part in silent.components] == [
        (part.name, part.objects, part.files) for part in telling.components
    ]
    words = json.dumps([part.objects for part in silent.components])
    assert not re.search(r"smtp|sygnal|mail\.yaml|ip_range_whitelist|federation_custom_ca_list|push/v1", words)


def test_nobody_federates_where_the_site_does_not() -> None:
    assert homeserver(site())["federation_domain_whitelist"] == []


def test_everybody_or_those_who_are_named_federate() -> None:
    assert "federation_domain_whitelist" not in homeserver(site(changed(federation=True)))
    config = homeserver(site(changed(federation=True, federation_partners=PARTNERS)))
    assert config["federation_domain_whitelist"] == ["other.test"]
    assert config["ip_range_whitelist"] == ["198.51.100.0/24"]


def test_the_partners_authority_is_mounted_and_checked(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    known = site(changed(federation=True, federation_partners={"ca": "ca.pem"}))
    part = synapse(replace(known, folder=tmp_path))
    assert yaml.safe_load(part.files["homeserver.yaml"])["federation_custom_ca_list"] == ["/conf/federation-ca.pem"]
    assert named(part, "ConfigMap", "synapse-config")["data"]["federation-ca.pem"].startswith("-----BEGIN")
    assert "conf/federation-ca.pem" in check_files(part, running(known)).files
    with pytest.raises(SiteError, match=r"federation_partners\.ca: .*absent/ca\.pem cannot be read"):
        synapse(replace(known, folder=tmp_path / "absent"))


@pytest.mark.parametrize(
    ("tls", "wanted"),
    [
        ("starttls", {"enable_tls": True, "require_transport_security": True}),
        ("implicit", {"enable_tls": True, "force_tls": True}),
        ("none", {"enable_tls": False}),
    ],
)
def test_mail_goes_as_the_site_says(tls: str, wanted: dict[str, Any]) -> None:
    email = homeserver(site(changed(features={"smtp": True}, mail=MAIL | {"tls": tls, "port": 2525})))["email"]
    assert email.items() >= (wanted | {"smtp_host": "mail.example.test", "smtp_port": 2525}).items()
    assert email["notif_from"] == "Matrix <no-reply@example.test>"
    assert not {"smtp_user", "smtp_pass"} & set(email)


def test_without_a_word_the_domains_own_names_are_taken() -> None:
    email = homeserver(site(changed(features={"smtp": True})))["email"]
    assert (email["smtp_host"], email["notif_from"]) == ("smtp.example.test", "Matrix <matrix@example.test>")


def test_only_who_sends_mail_holds_the_login() -> None:
    part = next(part for part in stack("mail at 5000").components if part.name == "synapse")
    holders = {
        found["metadata"]["name"]
        for found in part.objects
        if found["kind"] == "StatefulSet"
        for volume in found["spec"]["template"]["spec"]["volumes"]
        if volume.get("secret", {}).get("secretName") == "synapse-mail"
    }
    assert holders == {"synapse-main", "synapse-pusher"}
    secret = named(part, "Secret", "synapse-mail")["stringData"]
    assert secret == {"username": "@@secret:smtp/username@@", "password": "@@secret:smtp/password@@"}


def test_without_a_login_there_is_no_secret_for_it() -> None:
    part = next(part for part in stack("mail without a login").components if part.name == "synapse")
    assert "smtp/" not in json.dumps(part.objects)
    assert not any("mail" in path for path in check_files(part, running(SITES["mail without a login"]())).files)


def test_synapses_check_is_given_the_login_as_a_stand_in_and_ours_sees_no_secret() -> None:
    known = SITES["mail at 5000"]()
    part, here = synapse(known), running(known)
    given = check_files(part, here)
    assert [name for name, paths in given.asked.items() if "/check/mail.yaml" in paths] == [
        "synapse-main-0",
        "synapse-pusher-0",
    ]
    assert json.loads(given.files["check/mail.yaml"])["email"]["smtp_pass"] == STAND_IN
    assert audit(configs(part, here)) == ()


def test_a_process_that_sends_mail_makes_the_whole_block_with_the_login(tmp_path: Path) -> None:
    known = site(changed(features={"smtp": True}, mail=MAIL))
    for folder in ("mail", "run"):
        (tmp_path / folder).mkdir()
    for name, value in (("username", "us:er"), ("password", "p'\"#: ö\n")):
        (tmp_path / "mail" / name).write_text(value)
    _prepare(synapse(known).files["prepare.py"], tmp_path, "mail")
    made = yaml.safe_load((tmp_path / "run/mail.yaml").read_text("utf-8"))["email"]
    assert (made["smtp_user"], made["smtp_pass"]) == ("us:er", "p'\"#: ö")
    assert made.items() >= homeserver(known)["email"].items()
    assert (tmp_path / "run/mail.yaml").stat().st_mode & 0o777 == 0o600


def test_who_sends_mail_trusts_the_mail_servers_authority_too_and_no_other_process_does(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "public.pem").write_text("public ones\n")
    features = {"smtp": True, "push_notifications": True}
    said = changed(size="auto", concurrent_users=5000, features=features, mail=MAIL | {"ca": "ca.pem"})
    known = replace(site(said), folder=tmp_path)
    part = synapse(known)
    trusting = {
        found["metadata"]["name"]
        for found in part.objects
        if found["kind"] == "StatefulSet" and "SSL_CERT_FILE" in json.dumps(found) and "authorities" in _prepared(found)
    }
    assert trusting == {"synapse-main", "synapse-pusher"}
    conf = named(part, "ConfigMap", "synapse-config")["data"]
    assert conf["mail-ca.pem"].startswith("-----BEGIN")
    text = part.files["prepare.py"].replace('"/etc/ssl/certs/ca-certificates.crt"', f'"{tmp_path}/public.pem"')
    text = text.replace('"/conf/mail-ca.pem"', f'"{tmp_path}/ca.pem"')
    (tmp_path / "run").mkdir()
    _prepare(text, tmp_path, "authorities")
    assert (tmp_path / "run/authorities.pem").read_text() == "public ones\n\n-----BEGIN CERTIFICATE-----\n\n"
    with pytest.raises(SiteError, match=r"mail\.ca: .*absent/ca\.pem cannot be read"):
        synapse(replace(known, folder=tmp_path / "absent"))


def _prepared(stateful: dict[str, Any]) -> list[str]:
    (container,) = stateful["spec"]["template"]["spec"]["initContainers"]
    return list(container["command"])


def _prepare(program: str, folder: Path, *words: str) -> None:
    """Run what comes before Synapse, less its waiting, with the folders of its container in another one."""
    text = program.partition("for host, port in NEEDED")[0]
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets/pgpass").write_text("p")
    for place in ("secrets", "mail"):
        text = text.replace(f'"/{place}', f'"{folder}/{place}')
    text = text.replace("/run/synapse", f"{folder}/run")
    subprocess.run([sys.executable, "-", *words], input=text, check=True, text=True, timeout=30)


def test_pushes_to_the_sites_own_gateway_may_go_to_its_own_address() -> None:
    known = SITES["push gateway"]()
    assert "198.51.100.101" in homeserver(known)["ip_range_whitelist"]
