"""JSON over HTTP to a model server: one deadline over everything, and retries that stay within it."""

import json
import time
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from aura_contract.connection import key_refused, refused, tls_context, tls_fault
from aura_contract.credentials import credentials

__all__ = ["ModelHttp", "ModelMisconfigured", "ModelRefused", "ModelTimeout", "ModelUnreachable"]

ATTEMPTS = 4
FIRST_PAUSE_S = 0.25
MAX_REPLY_BYTES = 4 * 1024 * 1024
RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PORTS = {"http": 80, "https": 443}


class ModelUnreachable(RuntimeError):
    """The server cannot be used; the message is one sentence."""


class ModelMisconfigured(ModelUnreachable):
    """The server is there, and trying again does not help: its certificate, or what we log in with, is wrong."""


class ModelTimeout(RuntimeError):
    """The server did not answer in time; the message is one sentence."""


class ModelRefused(RuntimeError):
    """The server answered with an error that trying again does not mend."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"HTTP {status}: {detail}")
        self.status = status
        self.detail = detail


class ModelHttp:
    """A model server; `what` names it in messages. Answers are read in pieces, so that one that trickles in is given up.

    `key` goes before user and password of the environment, and those before what is in the url. Raises ManifestError for
    certificates that cannot be read.
    """

    def __init__(self, what: str, endpoint: str, key: str | None = None) -> None:
        found = credentials("OLLAMA")
        parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        scheme = "https" if found.tls and parts.scheme == "http" else parts.scheme
        host = parts.netloc.rpartition("@")[2]
        # Without user and password: the client's log has every url.
        self.base = parts._replace(scheme=scheme, netloc=host).geturl().rstrip("/")
        self.shown = f"{what} at {scheme}://{host}"
        self._key = key or found.api_key
        user, password = found.username or unquote(parts.username or ""), found.password or unquote(parts.password or "")
        self._secrets = [secret for secret in (self._key, password) if secret]
        self._login = (user, password) if user and not self._key else None
        self._answered = False
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else None,
            auth=self._login,
            verify=tls_context("OLLAMA", found) if found.ca or found.cert else True,
            # A proxy from the environment is for the world outside, not for a server on this machine.
            trust_env=parts.hostname not in LOOPBACK,
        )

    def get(self, path: str, seconds: float) -> Any:
        """One try, no retries; raises as `post`."""
        return self._once("GET", path, None, time.monotonic() + seconds)

    def post(self, path: str, body: dict[str, Any], deadline: float) -> Any:
        """The JSON answer; `deadline` is on `time.monotonic()`. Raises ModelTimeout, ModelUnreachable or ModelRefused.

        ModelMisconfigured, a ModelUnreachable, is not tried again.
        """
        pause = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once("POST", path, body, deadline)
            except ModelMisconfigured:
                raise
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
            late = ModelTimeout(f"{self.shown} did not answer in time")
            # A server that does not speak TLS may wait for the rest of what it takes for a request.
            shaking = isinstance(error, httpx.ConnectTimeout) and self.base.startswith("https:")
            raise (self._fault() if shaking else None) or late from error
        except httpx.InvalidURL as error:
            raise ModelUnreachable(f"{self.shown} does not answer: {error}") from error
        except httpx.TransportError as error:
            silent = ModelUnreachable(f"{self.shown} does not answer: {str(error) or type(error).__name__}")
            raise self._fault() or silent from error
        self._answered = True
        if status >= 400:
            raise ModelRefused(status, self._without_secrets(_error_text(raw)))
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise ModelRefused(status, "not JSON; check the endpoint") from error

    def _fault(self) -> ModelMisconfigured | None:
        """What is wrong with the encryption, if anything; asked only of a server that has never answered."""
        parts = urlsplit(self.base)
        address = f"{parts.scheme}://{parts.hostname}:{parts.port or PORTS.get(parts.scheme, 0)}"
        fault = None if self._answered else tls_fault("OLLAMA", address)
        return ModelMisconfigured(f"{self.shown} {fault}") if fault else None

    def _without_secrets(self, text: str) -> str:
        """Servers quote what they were sent."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    @property
    def refusal(self) -> str:
        """What to say when the server refuses what we log in with, or that we do not."""
        return f"{self.shown} {refused('OLLAMA') if self._login else key_refused('OLLAMA')}"

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
