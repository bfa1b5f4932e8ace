"""The store of a site's secrets: values by name and key, missing ones made, everything else left alone."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from pydantic import SecretBytes

from model.errors import NotARecipient, SecretsUnreadable, SiteError
from model.rollout.rendered import ACCEPTED, SecretRef
from model.rollout.secret_document import KeptValue, Origin, SecretDocument, dump, parse
from model.rollout.secret_facts import SecretFacts, secret_facts
from model.rollout.secret_index import dump_index, index_of
from model.rollout.secret_kinds import generated
from model.rollout.secret_names import kept_refs, key_spec, secret_spec
from model.rollout.secret_plan import flaws_of
from model.rollout.secret_stages import begun, goes_on
from model.rollout.veil import remember
from model.site.secrets import REALMS, Realm
from model.site.site import Site
from tasks.secrets.files import RealmFiles
from tasks.secrets.identity import AgeIdentity, identities
from tasks.secrets.recipients import recipients_for
from tasks.secrets.sealing import opened, sealed

_SIGNING_KEYS = 1000


def open_store(site: Site) -> SecretStore:
    """
    Return the site's store; files are read, and a key looked for, when something is first asked of a realm.

    The process leaves no core dump from here on.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    return SecretStore(site)


@dataclass
class SecretStore:
    """
    Values of the site's secrets. Raises `SiteError` and `SecretsUnreadable` naming file, secret and next step.

    Values travel wrapped, so that no text of an object, and no traceback, shows one. With `rehearses` nothing is ever
    written.
    """

    site: Site
    rehearses: bool = False
    _documents: dict[Realm, SecretDocument] = field(default_factory=dict, repr=False)

    def value(self, name: str, key: str) -> bytes:
        """Return a value; with `ACCEPTED` behind its key the one that is accepted beside it."""
        if key.endswith(ACCEPTED):
            return self._accepted(SecretRef(name, key.removesuffix(ACCEPTED)))
        spec = key_spec(self.site, name, key)
        if spec.kind == "fixed":
            return (spec.value or "").encode()
        realm = secret_spec(self.site, name).realm
        kept = self.document(realm).secrets.get(SecretRef(name, key))
        if kept is None:
            step = f"python -m flows.secrets import {name}/{key} --stdin"
            raise SiteError(
                f"the store has no value of the secret {name}/{key}",
                next_step="python -m flows.secrets generate" if spec.is_generated else step,
            )
        return kept.current.value.get_secret_value()

    def _accepted(self, ref: SecretRef) -> bytes:
        kept = self.document(secret_spec(self.site, ref.name).realm).secrets.get(ref)
        if kept is None or kept.accepted is None:
            raise SiteError(f"the store has no second value of the secret {ref.name}/{ref.key}", "run again")
        return kept.accepted.value.get_secret_value()

    def facts(self) -> SecretFacts:
        """Return what rendering may know of the store; of LI's only who may read it knows."""
        return secret_facts(self.document(realm) for realm in self.readable())

    def has(self, name: str, key: str) -> bool:
        """Return whether there is a value."""
        if key_spec(self.site, name, key).kind == "fixed":
            return True
        return SecretRef(name, key) in self.document(secret_spec(self.site, name).realm).secrets

    def made(self, name: str) -> datetime:
        """Return since when a secret is used: the oldest of its values counts (UTC)."""
        spec = secret_spec(self.site, name)
        secrets = self.document(spec.realm).secrets
        times = [secrets[ref].current.made for key, _ in spec.kept() if (ref := SecretRef(name, key)) in secrets]
        if not times:
            raise SiteError(f"the store has no value of the secret {name}", "python -m flows.secrets generate")
        return min(times)

    def missing(self, realms: Iterable[Realm] | None = None) -> tuple[SecretRef, ...]:
        """
        Return the values the site needs and the store has not, those included that a person must bring.

        Of LI's it tells only to who may read them.
        """
        chosen = self.readable() if realms is None else realms
        return tuple(
            ref for realm in chosen for ref in kept_refs(self.site, realm) if ref not in self.document(realm).secrets
        )

    def readable(self) -> tuple[Realm, ...]:
        """Return the realms that whoever runs this may read. Raises `NotARecipient` where that is not even `main`."""
        return tuple(realm for realm in REALMS if self._may_read(realm))

    def generate_missing(self) -> tuple[SecretRef, ...]:
        """
        Make what is missing and can be made, from the operating system's randomness, and keep it; return what was made.
        """
        made: list[SecretRef] = []
        for realm in self.readable():
            wanted = [ref for ref in self.missing((realm,)) if key_spec(self.site, ref.name, ref.key).is_generated]
            fresh = {ref: generated(key_spec(self.site, ref.name, ref.key), os.urandom) for ref in wanted}
            if fresh:
                self.keep(realm, fresh, "generated")
            made += wanted
        return tuple(made)

    def keep(self, realm: Realm, values: Mapping[SecretRef, bytes], origin: Origin) -> None:
        """Put values of one realm into use from now on and save them, all or none."""
        now = datetime.now(UTC).replace(microsecond=0)
        self.take(
            realm, {ref: KeptValue(value=SecretBytes(value), made=now, origin=origin) for ref, value in values.items()}
        )

    def take(self, realm: Realm, values: Mapping[SecretRef, KeptValue]) -> None:
        """Put values of one realm into use and save them, all or none; the values they replace are kept as former."""
        document = self.document(realm)
        for ref, value in values.items():
            document = document.with_value(ref, value, self.kept_formers(ref))
        self.save(document)

    def kept_formers(self, ref: SecretRef) -> int:
        """
        Return how many former values of a key stay: one, but every signing key, whose public half verifies old events.
        """
        specs = {spec.name: spec for spec in self.site.secrets}
        spec = specs[ref.name].keys.get(ref.key) if ref.name in specs else None
        return _SIGNING_KEYS if spec and spec.kind == "signing-key" else 1

    def rehearsal(self) -> SecretStore:
        """Return a store in memory that lacks nothing: what is missing is of the same shape, and thrown away."""
        store = SecretStore(self.site, rehearses=True, _documents=dict(self._documents))
        for realm in store.readable():
            wanted = {ref: _stand_in(self.site, ref) for ref in store.missing((realm,))}
            if wanted:
                store.keep(realm, wanted, "generated")
        return store

    def document(self, realm: Realm) -> SecretDocument:
        """Return everything of a realm; empty where nothing was ever kept. Raises `SecretsUnreadable`."""
        if realm not in self._documents:
            self._documents[realm] = _remembered(self._read(RealmFiles(self.site.folder, realm)))
        return self._documents[realm]

    def save(self, document: SecretDocument) -> None:
        """Encrypt a realm for its recipients and write it."""
        _remembered(document)
        if not self.rehearses:
            recipients = recipients_for(self.site, document.realm, self._identities)
            encrypted = sealed(dump(document), recipients)
            index = index_of(
                document, encrypted, recipients, self._others(document.realm), flaws_of(self.site, document)
            )
            before = self._documents.get(document.realm)
            RealmFiles(self.site.folder, document.realm).write(
                encrypted, dump_index(index), begins=begun(before, document), goes_on=goes_on(before, document)
            )
        self._documents[document.realm] = document

    def _others(self, realm: Realm) -> dict[SecretRef, SecretBytes] | None:
        """Return the other realms' values; None where one of them cannot be read."""
        values: dict[SecretRef, SecretBytes] = {}
        for other in REALMS:
            try:
                kept = self.document(other).secrets if other != realm else {}
            except SecretsUnreadable:
                return None
            values |= {ref: secret.current.value for ref, secret in kept.items()}
        return values

    def _may_read(self, realm: Realm) -> bool:
        try:
            self.document(realm)
            if not self.rehearses:
                recipients_for(self.site, realm, self._identities)
        except NotARecipient:
            if realm == "main":
                raise
            return False
        return True

    @cached_property
    def _identities(self) -> tuple[AgeIdentity, ...]:
        return identities(self.site)

    def _read(self, files: RealmFiles) -> SecretDocument:
        encrypted = files.read()
        if encrypted is None:
            if files.former():
                raise SecretsUnreadable(
                    f"{files.encrypted}: is gone, though former versions of it are there",
                    next_step=f"bring it back from your copy, or the newest of {files.folder}/former",
                )
            return SecretDocument(realm=files.realm, index_key=SecretBytes(os.urandom(32)))
        return read_document(encrypted, files, self._identities)


def read_document(encrypted: bytes, files: RealmFiles, keys: tuple[AgeIdentity, ...]) -> SecretDocument:
    """Open a realm's file. Raises `SecretsUnreadable`."""
    try:
        document = parse(opened(encrypted, keys, str(files.encrypted)))
    except ValueError as error:
        raise SecretsUnreadable(f"{files.encrypted}: {error}", next_step="it was written by another version") from None
    if document.realm != files.realm:
        raise SecretsUnreadable(f"{files.encrypted}: holds the realm {document.realm}: files were exchanged")
    return document


def _remembered(document: SecretDocument) -> SecretDocument:
    remember(value.value.get_secret_value() for kept in document.secrets.values() for value in kept.values)
    return document


def _stand_in(site: Site, ref: SecretRef) -> bytes:
    spec = key_spec(site, ref.name, ref.key)
    return generated(spec, os.urandom) if spec.is_generated else b"stand-in-of-a-provided-value"
