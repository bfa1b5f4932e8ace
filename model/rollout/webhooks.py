"""Admission webhooks by what the API server says of them: who does not answer, and who has refused."""

from __future__ import annotations

import re
from dataclasses import dataclass

from model.errors import KubernetesError
from model.rollout.keys import ObjectKey

_CALL = re.compile(r'(?:failed calling webhook|failed to call webhook)[,:]?(?: "([^"]+)")?')
_SERVICE = re.compile(r"https://([a-z0-9-]+)\.([a-z0-9-]+)\.svc\b")
REFUSAL = "denied the request"


@dataclass(frozen=True, slots=True)
class SilentWebhook:
    """A webhook that could not be asked: its name and Service (empty where nobody says them), and the last answer."""

    name: str
    service: str
    answer: str

    def __str__(self) -> str:
        return f"the webhook {self.name or 'of its kind'}{f' (Service {self.service})' if self.service else ''}"

    @property
    def next_step(self) -> str:
        """What a person looks at."""
        namespace, _, name = self.service.partition("/")
        if not name:
            return (
                "`kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations`: whose Service has no pod?"
            )
        return (
            f"`kubectl -n {namespace} get endpointslices,pods`: has the Service {name} a pod that is ready, and may "
            "control planes reach its port? then run again"
        )


def silent_webhook(error: KubernetesError) -> SilentWebhook | None:
    """Return the webhook that could not be asked, None where the server says something else: a refusal is an answer."""
    call = _CALL.search(error.detail)
    if call is None or REFUSAL in error.detail:
        return None
    service = _SERVICE.search(error.detail)
    where = f"{service[2]}/{service[1]}" if service else ""
    return SilentWebhook(call[1] or "", where, error.detail.rpartition('": ')[2] or error.detail)


def is_custom(key: ObjectKey) -> bool:
    """Tell whether an object is of a kind that an operator brings, and not of Kubernetes' own."""
    return "." in key.group and not key.group.endswith(".k8s.io")
