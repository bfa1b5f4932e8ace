"""What apt is told counts only while a key of the keyring signed it, today."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from model.bundle.sources import AptArchive
from model.errors import BundleError, SourceUnreachable
from remote.upstream.client import Client
from remote.upstream.debian import Apt, DebianPackage
from tests.upstream import archive
from tests.upstream.test_client import QUICK
from tests.upstream.web import Web, serving

Look = Callable[..., tuple[DebianPackage, ...]]


@pytest.fixture
def look(web: Web, debian: Path, signer: archive.Signer, tmp_path: Path) -> Look:
    """Serve the archive as `sign` signs its list; return apt's answer."""

    def answered(
        *wanted: str,
        keyring: Path = signer.keyring,
        sign: Callable[[str], bytes] | None = signer.clearsign,
        days: float = 7,
        added: bytes = b"",
    ) -> tuple[DebianPackage, ...]:
        listing = (debian / "Packages").read_bytes()
        text = archive.release(listing, "bookworm", timedelta(days=days))
        archive.publish(web, debian, "bookworm", sign(text) if sign else None, listing=listing + added)
        archives = (AptArchive(address=f"{web.address}/debian", suite="bookworm"),)
        client = Client(frozenset({"127.0.0.1"}), QUICK)
        return Apt(
            client=client,
            folder=tmp_path / "apt",
            suite="bookworm",
            architecture="amd64",
            archives=archives,
            keyring=keyring,
        ).packages(wanted or ("conntrack",))

    return answered


def test_a_package_comes_with_all_that_it_depends_on_and_nothing_else(look: Look) -> None:
    chosen = look()
    assert [package.name for package in chosen] == ["conntrack", "libnetfilter", "libnfnetlink"]
    assert chosen[0].version == "1:2.0~rc1-1+b1"
    assert chosen[0].file == "conntrack_1%3a2.0~rc1-1+b1_all.deb"
    assert f"Filename: ./{chosen[0].file}\n" in chosen[0].paragraph
    assert f"SHA256: {chosen[0].sha256}\n" in chosen[0].paragraph


def test_an_archive_without_a_signature_is_refused(look: Look) -> None:
    with pytest.raises(BundleError, match=r"InRelease: HTTP 404"):
        look(sign=None)


def test_apt_itself_refuses_a_list_whose_signature_was_cut_off(look: Look) -> None:
    with pytest.raises(BundleError, match="bookworm: apt-get update"):
        look(sign=str.encode)


def test_a_signature_of_somebody_else_is_refused(look: Look) -> None:
    with archive.signer() as other:
        with pytest.raises(BundleError, match="NO_PUBKEY") as raised:
            look(sign=other.clearsign)
        assert "keyring" in raised.value.next_step
        with pytest.raises(BundleError, match="NO_PUBKEY"):
            look(keyring=other.keyring)


def test_keys_that_this_machine_trusts_do_not_count(look: Look, tmp_path: Path) -> None:
    empty = tmp_path / "empty.gpg"
    empty.touch()
    with pytest.raises(BundleError, match="is empty"):
        look(keyring=empty)
    with pytest.raises(BundleError, match="is missing"):
        look(keyring=tmp_path / "nowhere.gpg")


def test_a_release_out_of_date_is_refused(look: Look) -> None:
    with pytest.raises(BundleError, match="expired"):
        look(days=-1)


def test_a_list_that_was_changed_after_signing_is_refused(look: Look) -> None:
    with pytest.raises(BundleError, match=r"bookworm: apt-get update: .*(size|[Hh]ash)"):
        look(added=b"\n")


def test_an_unknown_package_is_named(look: Look) -> None:
    with pytest.raises(BundleError, match="Unable to locate package nosuch"):
        look("nosuch")


def test_a_dead_archive_is_unreachable(tmp_path: Path, signer: archive.Signer) -> None:
    with serving() as gone:
        archives = (AptArchive(address=f"{gone.address}/debian", suite="bookworm"),)
    client = Client(frozenset({"127.0.0.1"}), QUICK)
    with pytest.raises(SourceUnreachable, match="InRelease"):
        Apt(
            client=client,
            folder=tmp_path / "apt",
            suite="bookworm",
            architecture="amd64",
            archives=archives,
            keyring=signer.keyring,
        ).packages(("conntrack",))


def test_apt_goes_by_the_proxy_of_the_environment(
    look: Look, web: Web, tmp_path: Path, signer: archive.Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    look()
    web.files |= {f"http://archive.test{path}": data for path, data in web.files.items()}
    monkeypatch.setenv("HTTP_PROXY", web.address)
    archives = (AptArchive(address="http://archive.test/debian", suite="bookworm"),)
    client = Client(frozenset({"archive.test"}), QUICK)
    chosen = Apt(
        client=client,
        folder=tmp_path / "apt",
        suite="bookworm",
        architecture="amd64",
        archives=archives,
        keyring=signer.keyring,
    ).packages(("socat",))
    assert [package.address for package in chosen] == ["http://archive.test/debian/pool/socat_2.0_all.deb"]
