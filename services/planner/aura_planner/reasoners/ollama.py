"""Ollama: structured output through `format`, options that never change, and a server that may stop half-way."""

from typing import Any

from aura_planner.prompt import Prompt
from aura_planner.reasoners.http import ModelHttp, ModelMisconfigured, ModelRefused, ModelTimeout, ModelUnreachable
from aura_planner.reasoners.model import Reply

__all__ = ["DEFAULT_ENDPOINT", "DEFAULT_MODEL", "OllamaServer"]

DEFAULT_ENDPOINT = "http://127.0.0.1:11434"
DEFAULT_MODEL = "llama3.2:1b"
CONTEXT_TOKENS = 4096
KEEP_ALIVE = "30m"
CHECK_S = 2.0
LOGIN_STATUS = frozenset({401, 403})


class OllamaServer:
    """One model on an Ollama server, see ChatServer."""

    def __init__(self, endpoint: str | None, model: str | None, seed: int) -> None:
        self._http = ModelHttp("Ollama", (endpoint or DEFAULT_ENDPOINT).rstrip("/").removesuffix("/api"))
        self._model = model or DEFAULT_MODEL
        self._seed = seed

    @property
    def name(self) -> str:
        """`ollama/MODEL`."""
        return f"ollama/{self._model}"

    @property
    def shown(self) -> str:
        """`Ollama at URL`, without user and password."""
        return self._http.shown

    def models(self, seconds: float) -> set[str]:
        """Names of the models that the server has; raises ModelUnreachable, or one of its kinds, with a sentence."""
        try:
            found = self._http.get("/api/tags", seconds)
            return {str(model["name"]) for model in found["models"]}
        except ModelRefused as error:
            raise self._refusal(error) from error
        except ModelTimeout as error:
            raise ModelUnreachable(str(error)) from error
        except (TypeError, KeyError) as error:
            raise ModelMisconfigured(f"{self.shown} does not answer as Ollama does; check the endpoint") from error

    def problem(self) -> str | None:
        """What is wrong with the server or the model, in one sentence; None when it can be used."""
        try:
            names = self.models(CHECK_S)
        except ModelMisconfigured as error:
            return str(error)
        except ModelUnreachable:
            return f"{self.shown} does not answer"
        return None if {self._model, f"{self._model}:latest"} & names else self._missing()

    def chat(self, prompt: Prompt, max_tokens: int, deadline: float) -> Reply:
        """See ChatServer. The options are the same at every call: the server drops its prompt cache when they change."""
        body = {
            "model": self._model,
            "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            "format": prompt.schema,
            "stream": False,
            "keep_alive": KEEP_ALIVE,
            "options": {"temperature": 0, "seed": self._seed, "num_ctx": CONTEXT_TOKENS, "num_predict": max_tokens},
        }
        try:
            return self._reply(self._http.post("/api/chat", body, deadline))
        except ModelRefused as error:
            if error.status == 404 and "model" in error.detail:
                raise ModelUnreachable(self._missing()) from error
            raise self._refusal(error) from error

    def _refusal(self, error: ModelRefused) -> ModelUnreachable:
        if error.status in LOGIN_STATUS:
            return ModelMisconfigured(self._http.refusal)
        return ModelUnreachable(f"{self.shown} answered with {error}")

    def _reply(self, found: Any) -> Reply:
        try:
            text = str(found["message"]["content"])
        except (TypeError, KeyError) as error:
            raise ModelUnreachable(f"{self._http.shown} does not answer as Ollama does; check the endpoint") from error
        # Seen in practice: HTTP 200 with `done: false` and half an answer, when the server's repeat limit struck.
        complete = found.get("done") is True and str(found.get("done_reason", "stop")) in {"stop", "length"}
        text = text.encode("utf-8", "replace").decode()
        return Reply(text, complete, _count(found, "prompt_eval_count"), _count(found, "eval_count"))

    def _missing(self) -> str:
        return f"model {self._model} is not on the server; run ollama pull {self._model} ({self._http.shown})"


def _count(found: dict[str, Any], name: str) -> int | None:
    value = found.get(name)
    return value if isinstance(value, int) else None
