"""Any server that speaks OpenAI's chat completions; what it does not support is found out once and left away."""

import os
from typing import Any

from aura_planner.prompt import Prompt
from aura_planner.reasoners.http import ModelHttp, ModelRefused, ModelUnreachable
from aura_planner.reasoners.model import Reply

__all__ = ["API_KEY_VARIABLE", "OpenAiServer"]

API_KEY_VARIABLE = "AURA_OPENAI_API_KEY"


class OpenAiServer:
    """One model behind `ENDPOINT/v1/chat/completions`, see ChatServer. What it logs in with comes from the environment."""

    def __init__(self, endpoint: str, model: str, seed: int) -> None:
        base = endpoint.rstrip("/").removesuffix("/chat/completions")
        key = os.environ.get(API_KEY_VARIABLE)
        self._http = ModelHttp("The model server", base if base.endswith("/v1") else f"{base}/v1", key)
        self._model = model
        self._seed = seed
        self._form = 0

    @property
    def name(self) -> str:
        """`openai/MODEL`."""
        return f"openai/{self._model}"

    def chat(self, prompt: Prompt, max_tokens: int, deadline: float) -> Reply:
        """See ChatServer. A request that the server calls malformed is sent again in the next plainer form."""
        forms = self._forms(prompt, max_tokens)
        while True:
            try:
                return self._reply(self._http.post("/chat/completions", forms[self._form], deadline))
            except ModelRefused as error:
                if error.status not in {400, 422} or self._form + 1 == len(forms):
                    raise ModelUnreachable(self._refusal(error)) from None
                self._form += 1

    def _forms(self, prompt: Prompt, max_tokens: int) -> list[dict[str, Any]]:
        base = {
            "model": self._model,
            "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
        }
        steady = base | {"temperature": 0, "seed": self._seed, "max_tokens": max_tokens}
        schema = {"name": "plan", "strict": True, "schema": prompt.schema}
        return [
            steady | {"response_format": {"type": "json_schema", "json_schema": schema}},
            steady | {"response_format": {"type": "json_object"}},
            steady,
            base | {"max_completion_tokens": max_tokens, "response_format": {"type": "json_object"}},
        ]

    def _reply(self, found: Any) -> Reply:
        try:
            choice = found["choices"][0]
            text = str(choice["message"]["content"] or "").encode("utf-8", "replace").decode()
            complete = choice.get("finish_reason") in {"stop", "length", None}
            return Reply(text, complete, _count(found, "prompt_tokens"), _count(found, "completion_tokens"))
        except (TypeError, KeyError, IndexError, AttributeError) as error:
            raise ModelUnreachable(f"{self._http.shown} does not answer with chat completions; check the endpoint") from error

    def _refusal(self, error: ModelRefused) -> str:
        if error.status in {401, 403}:
            return f"{self._http.shown} refused the API key (HTTP {error.status}); set {API_KEY_VARIABLE}"
        return f"{self._http.shown} answered with {error}"


def _count(found: Any, name: str) -> int | None:
    """A number of tokens; what a server says in another form is not known."""
    usage = found.get("usage")
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) else None
