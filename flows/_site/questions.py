"""The questions for a new site, in their order: its servers first, then what follows from them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from flows._site.checking import WrongAnswerError, fitting
from model.site.answers import Answers, grows
from model.site.roles import WANTED_BY, known

Given = Mapping[str, Any]

# Asked only where the answer before makes sense of it.
_ONLY_IF = {
    "turn_addresses": ("turn", True),
    "livekit_addresses": ("livekit", True),
    "api_address": ("api_provider", "keepalived"),
    "email": ("certificates", "letsencrypt"),
    "certificate": ("certificates", "organisation"),
    "private_key": ("certificates", "organisation"),
    **{name: ("li", True) for name in Answers.model_fields if name.startswith("li_")},
}
# What an answer may look like, where it is an address or a network.
SUCH_AS = {
    "main_network": "10.0.1.0/24",
    "main_gateway": "10.0.1.1",
    "database_disks": "db-1=virtio-data1:200",
    "object_disks": "st-1=virtio-data1:500",
    "management": "10.0.9.0/24",
    "admins": "10.0.8.0/24",
    "ingress_addresses": "203.0.113.10",
    "ingress_servers": "w-1 w-2",
    "outside": "203.0.113.200 or vantage-1=203.0.113.200,2001:db8::200",
    "turn_addresses": "203.0.113.11",
    "livekit_addresses": "203.0.113.12",
    "dns": "10.0.1.2",
    "ntp": "10.0.1.2",
    "api_name": "api.example.org",
    "api_address": "10.0.1.10",
    "pod_network": "10.244.0.0/16",
    "service_network": "10.96.0.0/12",
    "li_network": "10.0.2.0/24",
    "li_gateway": "10.0.2.1",
    "li_dns": "10.0.2.2",
    "li_ingress": "10.0.2.11",
    "li_clients": "10.0.2.0/24",
}
_SERVER = "10.0.1.11 or 10.0.1.11,fd00::11 or cp-1=10.0.1.11"
_YES = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}
EMPTY = "none"
_COMMA = re.compile(r"\s*,\s*")


@dataclass(frozen=True)
class Question:
    """A question for one field of the answers."""

    key: str

    @property
    def field(self) -> FieldInfo:
        """The field that it asks for."""
        return Answers.model_fields[self.key]

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """What an answer must satisfy."""
        constrained: Any = Annotated[self.field.annotation, self.field]
        return TypeAdapter(constrained)

    @cached_property
    def kind(self) -> dict[str, Any]:
        """The JSON Schema of what the field holds in the end: a former name is read, and not offered."""
        return self.adapter.json_schema(mode="serialization")

    @property
    def words(self) -> str:
        """The question as a person reads it."""
        example = f", such as {SUCH_AS[self.key]}" if self.key in SUCH_AS else ""
        choice = f" [{'/'.join(self.kind['enum'])}]" if "enum" in self.kind else ""
        return f"{self.field.description}{example}{choice}"

    def applies(self, given: Given) -> bool:
        """Return whether the answers before make sense of it."""
        other, wanted = _ONLY_IF.get(self.key, ("", None))
        if not other:
            return True
        value = given.get(other, Answers.model_fields[other].default)
        return bool(value is wanted or (isinstance(value, str) and value.startswith(str(wanted))))

    @property
    def required(self) -> bool:
        """Whether nothing is no answer."""
        alone = self.key in ("li_network", "li_dns") or (self.key in _ONLY_IF and not self.key.startswith("li_"))
        return self.field.is_required() or alone

    def default(self, given: Given) -> Any:
        """
        Return what Enter answers: a feature with servers of its own is on where there are some, and load decides where
        there are many users.
        """
        if self.key == "autoscaling":
            return grows(given)
        for role, kind in known().items():
            if self.key in WANTED_BY.get(kind.purpose, ()):
                return bool(given.get(f"servers.{role}"))
        return None if self.required else self.field.default

    def shown(self, value: Any) -> str:
        """Write an answer as a person would type it."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, (tuple, list)):
            return " ".join(str(item) for item in value)
        return "" if value is None else str(value)

    def read(self, text: str) -> Any:
        """Turn what was typed into an answer. Raises `WrongAnswerError` when it is none."""
        text = text.strip()
        if text == EMPTY and not self.required and not self.field.default and self.field.default is not False:
            text = ""
        if not text and self.required:
            example = f"; such as {SUCH_AS[self.key]}" if self.key in SUCH_AS else ""
            raise WrongAnswerError(f"is required{example}")
        value = self._value(text)
        if self.kind.get("type") == "boolean" and not isinstance(value, bool):
            raise WrongAnswerError(f"{value!r} is neither yes nor no; yes or no")
        return fitting(self.adapter, value)

    def _value(self, text: str) -> Any:
        """Turn text into what the field's schema asks for; what does not fit stays text, and is refused."""
        if self.kind.get("type") == "array":
            # A server's addresses of both families have a comma between them.
            return _COMMA.sub(",", text).split() if self.key == "outside" else text.replace(",", " ").split()
        if self.kind.get("type") == "boolean":
            return _YES.get(text.lower(), text)
        if self.kind.get("type") == "integer" and text.isascii() and text.isdigit():
            return int(text)
        return None if not text and "anyOf" in self.kind else text


@dataclass(frozen=True)
class ServerQuestion(Question):
    """The question for a role's servers; a `late` one is asked where a feature wants servers that nobody named."""

    role: str
    late: bool = False

    @property
    def field(self) -> FieldInfo:
        """The field that it asks for a part of."""
        return Answers.model_fields["servers"]

    @property
    def words(self) -> str:
        """The question as a person reads it."""
        return f"{self.role} servers{'' if self.required else ' (Enter: none)'}"

    @property
    def features(self) -> tuple[str, ...]:
        """The features that want these servers; none where every site does."""
        return WANTED_BY.get(known()[self.role].purpose, ())

    def applies(self, given: Given) -> bool:
        """Return whether it is asked at the beginning, or again because a feature is on."""
        return not self.late or (not given.get(f"servers.{self.role}") and any(given.get(f) for f in self.features))

    @property
    def required(self) -> bool:
        """Whether there must be some."""
        return self.late or not self.features

    def default(self, _given: Given) -> Any:
        """Return nothing: addresses cannot be guessed."""
        return None

    def read(self, text: str) -> Any:
        """Turn what was typed into a list of servers. Raises `WrongAnswerError` when it is none."""
        servers = [] if text.strip() == EMPTY else text.split()
        if not servers and self.required:
            raise WrongAnswerError(f"is required; addresses such as {_SERVER}")
        return fitting(self.adapter, {self.role: servers})[self.role] if servers else []


def questions() -> tuple[Question, ...]:
    """Return all questions in their order."""
    servers = [ServerQuestion(f"servers.{role}", role) for role in known()]
    return (*servers, *(question for name in Answers.model_fields if name != "servers" for question in _of(name)))


def _of(name: str) -> Iterator[Question]:
    yield Question(name)
    for role, kind in known().items():
        if name == WANTED_BY.get(kind.purpose, ("",))[-1]:
            yield ServerQuestion(f"late.{role}", role, late=True)
