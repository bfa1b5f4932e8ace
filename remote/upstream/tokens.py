"""Who lets us in at a registry: anonymous tokens, tokens for a login, or the login itself."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from model.errors import BundleError
from remote.upstream.client import Client


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """A user of a registry. As a door it shows itself at once."""

    user: str
    password: str = field(repr=False)

    def shown(self) -> Mapping[str, str]:
        """Return the header of a login."""
        return {"Authorization": f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode()}"}

    def answer(self, _challenge: str) -> Mapping[str, str]:
        """Show the same once more: whoever refuses it refuses us."""
        return self.shown()


class Tokens:
    """
    Tokens for one repository, asked for when the registry wants one, and again when it has expired; anonymous ones
    where there is no `login`. It is shown over TLS alone.
    """

    def __init__(self, client: Client, login: RegistryLogin | None = None) -> None:
        self._client = client
        self._login = login
        self._shown: Mapping[str, str] = {}

    def shown(self) -> Mapping[str, str]:
        """Return what the registry took last."""
        return self._shown

    def answer(self, challenge: str) -> Mapping[str, str]:
        """Return what the registry asks for. Raises BundleError, SourceUnreachable."""
        scheme, _, rest = challenge.partition(" ")
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = asked.pop("realm", "")
        if scheme.lower() == "basic" and self._login:
            self._shown = self._login.shown()
        elif scheme.lower() == "bearer" and realm:
            self._shown = {"Authorization": f"Bearer {self._token(realm, asked)}"}
        else:
            raise BundleError(
                f"the registry wants {scheme} credentials, and we have none", "name a public registry or a mirror"
            )
        return self._shown

    def _token(self, realm: str, asked: Mapping[str, str]) -> str:
        if self._login and not realm.startswith("https:"):
            raise BundleError(f"{realm}: gives tokens without TLS; the password is not sent", "correct the registry")
        place = f"{realm}?{urlencode({key: asked[key] for key in ('service', 'scope') if key in asked})}"
        try:
            document = json.loads(self._client.text(place, door=self._login)[0])
        except ValueError as error:
            raise BundleError(f"{realm}: no JSON: {error}", _LIES) from error
        token = document.get("token") or document.get("access_token") if isinstance(document, dict) else None
        if not isinstance(token, str) or not token.isprintable():
            raise BundleError(f"{realm}: gave no token", _LIES)
        return token


_LIES = "whoever answers there is not the registry, or it is broken; nothing of it was taken"
