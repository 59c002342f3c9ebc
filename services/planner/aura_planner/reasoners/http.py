"""JSON over HTTP to a model server: one deadline over everything, and retries that stay within it."""

import json
import time
from typing import Any
from urllib.parse import urlsplit

import httpx

__all__ = ["ModelHttp", "ModelRefused", "ModelTimeout", "ModelUnreachable"]

ATTEMPTS = 4
FIRST_PAUSE_S = 0.25
MAX_REPLY_BYTES = 4 * 1024 * 1024
RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class ModelUnreachable(RuntimeError):
    """The server cannot be used; the message is one sentence."""


class ModelTimeout(RuntimeError):
    """The server did not answer in time; the message is one sentence."""


class ModelRefused(RuntimeError):
    """The server answered with an error that trying again does not mend."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"HTTP {status}: {detail}")
        self.status = status
        self.detail = detail


class ModelHttp:
    """A model server; `what` names it in messages. Answers are read in pieces, so that one that trickles in is given up."""

    def __init__(self, what: str, endpoint: str, headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        self.base = parts.geturl().rstrip("/")
        self.shown = f"{what} at {parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        # A proxy from the environment is for the world outside, not for a server on this machine.
        self._client = httpx.Client(headers=headers, trust_env=parts.hostname not in LOOPBACK)

    def get(self, path: str, seconds: float) -> Any:
        """One try, no retries; raises as `post`."""
        return self._once("GET", path, None, time.monotonic() + seconds)

    def post(self, path: str, body: dict[str, Any], deadline: float) -> Any:
        """The JSON answer; `deadline` is on `time.monotonic()`. Raises ModelTimeout, ModelUnreachable or ModelRefused."""
        pause = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once("POST", path, body, deadline)
            except (ModelUnreachable, ModelRefused) as error:
                if isinstance(error, ModelRefused) and error.status not in RETRIED_STATUS:
                    raise
                if attempt == ATTEMPTS or time.monotonic() + pause >= deadline:
                    raise
            time.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, body: dict[str, Any] | None, deadline: float) -> Any:
        left = deadline - time.monotonic()
        if left <= 0:
            raise ModelTimeout(f"{self.shown} did not answer in time")
        try:
            with self._client.stream(method, self.base + path, json=body, timeout=left) as answer:
                raw = self._read(answer, deadline)
                status = answer.status_code
        except httpx.TimeoutException as error:
            raise ModelTimeout(f"{self.shown} did not answer in time") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ModelUnreachable(f"{self.shown} does not answer: {str(error) or type(error).__name__}") from error
        if status >= 400:
            raise ModelRefused(status, _error_text(raw))
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise ModelRefused(status, "not JSON; check the endpoint") from error

    def _read(self, answer: httpx.Response, deadline: float) -> bytes:
        raw = bytearray()
        for piece in answer.iter_bytes():
            raw += piece
            if time.monotonic() > deadline:
                raise ModelTimeout(f"{self.shown} did not finish its answer in time")
            if len(raw) > MAX_REPLY_BYTES:
                raise ModelRefused(answer.status_code, f"more than {MAX_REPLY_BYTES} bytes; check the endpoint")
        return bytes(raw)


def _error_text(raw: bytes) -> str:
    """The server's own words, from the shapes that Ollama and OpenAI give errors in."""
    try:
        found = json.loads(raw)["error"]
        text = found["message"] if isinstance(found, dict) else found
    except (ValueError, TypeError, KeyError, RecursionError):
        text = raw.decode("utf-8", "replace")
    return " ".join(str(text).split())[:200]
