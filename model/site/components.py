"""What `components.yaml` says: the application's parts, in which order they come, and what each stands on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from model.base import Declared, Name, Text

POD_LABEL = "matrix-fleet.io/pod"


class PodSelector(Declared):
    """Where the pods are that a row of ports.yaml means by a word, and the labels they carry; `{}`: the usual one."""

    namespace: Name | None = None
    labels: dict[Text, Text] = {}


class Component(Declared):
    """
    One part of the application.

    `needs` are components that must be ready before; one that the site does not have is passed over. `when` are words
    of the site's features that must all hold. `upstream` names its publisher's own manifest in the bundle, taken whole;
    `pods` are the words by which ports.yaml knows its pods; `gates` try it as its user would, `optional_gates` where
    the site has the feature of that word. `optional`: where nothing says its image's digest the others are rolled out
    without it, and the report names it. `timeout`: after how many seconds without becoming ready it has failed.
    """

    name: Name
    phase: Annotated[int, Field(ge=1, le=5)]
    title: Text
    needs: tuple[Name, ...] = ()
    when: tuple[Text, ...] = ()
    namespace: Name | None = None
    upstream: Name | None = None
    pods: dict[Name, PodSelector] = {}
    gates: tuple[Name, ...] = ()
    optional_gates: dict[Name, Text] = {}
    optional: bool = False
    timeout: Annotated[int, Field(ge=10, le=3600)] = 300

    def holds(self, active: frozenset[str]) -> bool:
        """Return whether the site has it, by the words that hold there."""
        return active.issuperset(self.when)

    def gates_of(self, active: frozenset[str]) -> tuple[str, ...]:
        """Return the gates that try it on a site, by the words that hold there."""
        return (*self.gates, *(gate for gate, word in self.optional_gates.items() if word in active))

    def selector(self, word: str) -> tuple[str, dict[str, str]]:
        """Return the namespace and the labels of the pods that rows call by this word."""
        pods = self.pods[word]
        return pods.namespace or self.namespace or "", pods.labels or {POD_LABEL: word}


class ComponentsFile(Declared):
    """`components.yaml`."""

    components: tuple[Component, ...] = Field(min_length=1)
