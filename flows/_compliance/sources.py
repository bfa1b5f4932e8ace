"""What lies on the controller that checks look at: the last proof of the ports, certificates, the store of secrets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from checks.check import DeclaredFiles, KeptSecrets
from flows._run import folder
from model.errors import SiteError
from model.host.certificate_chain import Chain, read_chain
from model.host.scheduled import AUTHORIZED_KEYS
from model.report.gate_record import GateRecord, is_scheduled_run, newest
from model.rollout.secret_index import FOLDER, kept_indexes
from model.site.site import Site
from model.verify.proof import Proof, read_proof
from tasks.schedule_units import key_of, public_key
from tasks.scheduled import desired

# A gate that none of so many runs tried was not tried for long; those on schedule, which try little, do not count.
_RUNS = 30


def latest_proof(inventory: Path) -> Proof | None:
    """
    Return what the newest run proved that sent packets, whichever flow it was; None where there is none that can be
    read.
    """
    proofs = (_proof(report) for report in _proving(inventory))
    return max((proof for proof in proofs if proof is not None), key=lambda proof: proof.ended, default=None)


def _proving(inventory: Path) -> Iterator[Path]:
    """Yield the newest reports with a proof: of the flow that is there for it, and of one that has it on its way."""
    with suppress(SiteError):
        yield folder.find_report(inventory, "latest-verify_ports")
    places = reversed(folder.runs(inventory, "bootstrap"))
    yield from [place / "report.json" for place in places if (place / folder.PROOF).exists()][:1]


def _proof(report: Path) -> Proof | None:
    try:
        short = report.with_name(folder.PROOF)
        # Runs of earlier versions left the report alone.
        return read_proof(json.loads(short.read_text("utf-8")) if short.exists() else folder.read_report(report))
    except (SiteError, OSError, KeyError, ValueError, TypeError):
        return None


def latest_gates(inventory: Path) -> dict[str, GateRecord]:
    """Return how each gate came out when a run of flows.validate or flows.rollout last tried it."""
    places = [place for flow in ("validate", "rollout") for place in folder.runs(inventory, flow)]
    newest_first = sorted(places, key=lambda place: place.name, reverse=True)
    return newest(_enough(_readable(newest_first)))


def _enough(reports: Iterable[folder.Document]) -> Iterator[folder.Document]:
    left = _RUNS
    for report in reports:
        yield report
        left -= not is_scheduled_run(report)
        if not left:
            return


def _readable(places: Iterable[Path]) -> Iterator[folder.Document]:
    for place in places:
        # Half a report tells of nothing; an older one may.
        with suppress(SiteError):
            yield folder.read_report(place / "report.json")


def declared_files(site: Site, inventory: Path) -> DeclaredFiles:
    """Read the certificates that site.yaml names; of the private key nothing is kept but whether it fits."""
    tls, authorities = site.settings.tls, site.settings.servers.trusted_ca
    fits, hidden = None, ""
    if tls.certificate and tls.private_key:
        try:
            fits = _fits(inventory / tls.certificate, inventory / tls.private_key)
        except PermissionError:
            # The scheduled account is meant to read no private key: that says nothing of the key.
            hidden = "the account that looks may not read it"
    return DeclaredFiles(
        certificate=_chain(inventory / tls.certificate) if tls.certificate else None,
        key_fits=fits,
        hidden=hidden,
        authorities={path: _chain(inventory / path) for path in authorities},
    )


def kept_secrets(inventory: Path) -> KeptSecrets:
    """Look at the store of secrets without opening it: its indexes, and whether its files are private and encrypted."""
    try:
        indexes = kept_indexes(inventory)
        exposed = tuple(_exposed(inventory / FOLDER)) if indexes else ()
    except (ValueError, PermissionError) as error:
        # The scheduled account is meant to read none of it.
        return KeptSecrets(hidden=f"the store of secrets: {error}")
    return KeptSecrets(indexes, exposed)


def _exposed(store: Path) -> Iterator[str]:
    for path in sorted([store, *store.rglob("*")]):
        if path.stat().st_mode & 0o077:
            yield f"{path.relative_to(store.parent)}: others may read it"
        if path.suffix == ".age" and not path.read_bytes().startswith(b"age-encryption.org/"):
            yield f"{path.relative_to(store.parent)}: is not encrypted"
        elif path.is_file() and path.suffix not in (".age", ".json"):
            yield f"{path.relative_to(store.parent)}: is none of the store's files"


def expected_files(site: Site) -> dict[str, str] | None:
    """
    Return the digests that files of the scheduled identity have on hosts, by path; None where nothing runs on schedule.
    """
    schedule = site.settings.compliance.schedule
    if schedule is None:
        return None
    key = public_key(key_of(site.name))
    # Which key may log in can only be told where that key was made.
    state = desired(schedule.user, key or "")
    return {file.path: file.sha256 for file in state.files if key or file.path != AUTHORIZED_KEYS}


def _chain(path: Path) -> Chain | str:
    try:
        return read_chain(path.read_text("utf-8"))
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}"
    except ValueError as error:
        return f"{path.name} holds no certificate that can be read: {error}"


def _fits(certificate: Path, key: Path) -> bool | str:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        public = x509.load_pem_x509_certificates(certificate.read_bytes())[0].public_key()
        return load_pem_private_key(key.read_bytes(), None).public_key() == public
    except PermissionError:
        raise
    except OSError as error:
        return f"{key.name} cannot be read: {error.strerror}"
    except (ValueError, TypeError) as error:
        return f"{key.name} cannot be read as a private key: {error}"
