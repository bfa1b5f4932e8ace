"""Several control planes as one access to the Kubernetes API: whoever answers is asked, and first from then on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model.errors import ApiCause, ApiUnreachable, KubernetesError, ObjectMissing, PlanRefused
from remote.api_endpoint import ApiAnswer, ApiEndpoint, ApiRequest, NoApiAnswer

RETRY_SECONDS = 20.0
_PAUSE_SECONDS = 0.3
_READY = ApiRequest("GET", "/readyz")
_NEXT = {
    401: "is the host's admin.conf of this cluster, and not expired?",
    403: "is the host's admin.conf an administrator's?",
    409: "somebody changed it at the same moment: run again",
    422: "look at the named field",
}


class ApiFailover:
    """
    Endpoints in the order they are asked in; one that fails is asked last from then on.

    All are tried again until `timeout` seconds have passed. A request that may have been carried out is only repeated
    where that does no harm.
    """

    def __init__(self, endpoints: Sequence[ApiEndpoint], timeout: float) -> None:
        if not endpoints:
            raise PlanRefused("no control plane to reach the cluster through")
        self._endpoints = list(endpoints)
        self._ordering = threading.Lock()
        self._timeout = timeout

    @property
    def first(self) -> str:
        """Name of the control plane that is asked first now."""
        return self._endpoints[0].name

    def ask(self, request: ApiRequest, timeout: float | None = None) -> ApiAnswer:
        """Return a good answer; raises what another one means, and `ApiUnreachable`."""
        answer = self.answer(request, timeout)
        if answer.status < 300:
            return answer
        raise refusal(request, answer)

    def answer(self, request: ApiRequest, timeout: float | None = None) -> ApiAnswer:
        """
        Return the first answer, whatever it says, save that a server cannot serve just now. Raises `ApiUnreachable`.
        """
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        while True:
            failed: dict[str, str] = {}
            for endpoint in tuple(self._endpoints):
                outcome = self._try(endpoint, request)
                if isinstance(outcome, ApiAnswer):
                    return outcome
                failed[endpoint.name] = outcome
            if time.monotonic() >= deadline:
                reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
                raise ApiUnreachable(next(iter(failed)), str(request), reasons, "is any control plane up and joined?")
            threading.Event().wait(_PAUSE_SECONDS)

    def close(self) -> None:
        """Close every connection to the API."""
        for endpoint in self._endpoints:
            endpoint.close()

    def _try(self, endpoint: ApiEndpoint, request: ApiRequest) -> ApiAnswer | str:
        """Return an endpoint's answer, or in words why another one should be asked."""
        try:
            answer = endpoint.ask(request)
            if answer.status == 403:
                if not _is_ready(endpoint):
                    return self._later(endpoint, "its API server has not read yet who may do what")
                answer = endpoint.ask(request)
            if not answer.passing or not request.repeatable:
                return answer
            reason = f"HTTP {answer.status}: {answer.document.get('message', '')}"
        except NoApiAnswer as error:
            if error.sent and not request.repeatable:
                raise KubernetesError(endpoint.name, str(request), f"no answer: {error}", "did it happen?") from None
            reason = str(error)
        return self._later(endpoint, reason)

    def _later(self, endpoint: ApiEndpoint, reason: str) -> str:
        """Have an endpoint asked last from then on, for that reason."""
        with self._ordering:
            self._endpoints.sort(key=lambda other: other is endpoint)
        return reason


def _is_ready(endpoint: ApiEndpoint) -> bool:
    """
    Return whether a server's refusals count: a starting one refuses even an administrator, until it read the roles.
    Raises `NoApiAnswer`.
    """
    return endpoint.ask(_READY).status == 200


def refusal(request: ApiRequest, answer: ApiAnswer) -> KubernetesError:
    """Return the error that an answer of 300 and above means."""
    document = answer.document
    detail = document.get("message") or answer.body.decode(errors="replace").strip()[:300] or f"HTTP {answer.status}"
    kind = ObjectMissing if answer.status == 404 else KubernetesError
    return kind(
        answer.host,
        str(request),
        f"{detail} ({answer.status})",
        _NEXT.get(answer.status, ""),
        status=answer.status,
        reason=str(document.get("reason", "")),
        causes=tuple(_causes(document)),
    )


def _causes(document: Mapping[str, Any]) -> Iterator[ApiCause]:
    for cause in (document.get("details") or {}).get("causes") or ():
        yield ApiCause(*(str(cause.get(word, "")) for word in ("reason", "field", "message")))
