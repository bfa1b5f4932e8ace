"""Several control planes as one way to the Kubernetes API: whoever answers is asked, and first from then on."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from model.errors import ApiUnreachable, KubernetesError, ObjectMissing, PlanRefused
from remote.api_endpoint import Answer, ApiEndpoint, Broken, Request

PATIENCE_SECONDS = 20.0
_PAUSE_SECONDS = 0.3
_READY = Request("GET", "/readyz")
_NEXT = {
    401: "is the host's admin.conf of this cluster, and not expired?",
    403: "is the host's admin.conf an administrator's?",
    409: "somebody changed it at the same moment: run again",
    422: "look at the named field",
}


class ApiFailover:
    """
    Ways in the order they are asked in; one that fails is asked last from then on.

    All are tried again until `patience` seconds have passed. A request that may have been carried out is only repeated
    where that does no harm.
    """

    def __init__(self, ways: Sequence[ApiEndpoint], patience: float) -> None:
        if not ways:
            raise PlanRefused("no control plane to reach the cluster through")
        self._ways = list(ways)
        self._ordering = threading.Lock()
        self._patience = patience

    @property
    def first(self) -> str:
        """Name of the control plane that is asked first now."""
        return self._ways[0].name

    def ask(self, request: Request, patience: float | None = None) -> Answer:
        """Return a good answer; raises what another one means, and `ApiUnreachable`."""
        answer = self.answer(request, patience)
        if answer.status < 300:
            return answer
        raise refusal(request, answer)

    def answer(self, request: Request, patience: float | None = None) -> Answer:
        """
        Return the first answer, whatever it says, save that a server cannot serve just now. Raises `ApiUnreachable`.
        """
        deadline = time.monotonic() + (self._patience if patience is None else patience)
        while True:
            failed: dict[str, str] = {}
            for way in tuple(self._ways):
                found = self._try(way, request)
                if isinstance(found, Answer):
                    return found
                failed[way.name] = found
            if time.monotonic() >= deadline:
                told = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
                raise ApiUnreachable(next(iter(failed)), str(request), told, "is any control plane up and joined?")
            threading.Event().wait(_PAUSE_SECONDS)

    def close(self) -> None:
        """Close every connection to the API."""
        for way in self._ways:
            way.close()

    def _try(self, way: ApiEndpoint, request: Request) -> Answer | str:
        """Return a way's answer, or in words why another one should be asked."""
        try:
            answer = way.ask(request)
            if answer.status == 403:
                if not _is_ready(way):
                    return self._later(way, "its API server has not read yet who may do what")
                answer = way.ask(request)
            if not answer.passing or not request.repeatable:
                return answer
            reason = f"HTTP {answer.status}: {answer.said.get('message', '')}"
        except Broken as error:
            if error.sent and not request.repeatable:
                raise KubernetesError(way.name, str(request), f"no answer: {error}", "did it happen?") from None
            reason = str(error)
        return self._later(way, reason)

    def _later(self, way: ApiEndpoint, reason: str) -> str:
        """Have a way asked last from then on, for that reason."""
        with self._ordering:
            self._ways.sort(key=lambda each: each is way)
        return reason


def _is_ready(way: ApiEndpoint) -> bool:
    """
    Return whether a server's refusals count: a starting one refuses even an administrator, until it read the roles.
    Raises `Broken`.
    """
    return way.ask(_READY).status == 200


def refusal(request: Request, answer: Answer) -> KubernetesError:
    """Return the error that an answer of 300 and above means."""
    said = answer.said
    detail = said.get("message") or answer.body.decode(errors="replace").strip()[:300] or f"HTTP {answer.status}"
    kind = ObjectMissing if answer.status == 404 else KubernetesError
    return kind(
        answer.host,
        str(request),
        f"{detail} ({answer.status})",
        _NEXT.get(answer.status, ""),
        status=answer.status,
        reason=str(said.get("reason", "")),
    )
