"""The reasoner behind every model server: prompt, call, and an answer that is checked before it counts."""

import time
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from aura_contract.context import ContextSnapshot
from aura_planner.alike import alike
from aura_planner.answers import keys_decision, levers_decision
from aura_planner.decision import Decision, unplanned
from aura_planner.enrichment import Enrichment
from aura_planner.parsing import AnswerError
from aura_planner.prompt import KeysPrompt, LeversPrompt, Prompt, keys_prompt, levers_prompt
from aura_planner.reasoners.http import ModelTimeout, ModelUnreachable

__all__ = ["ChatServer", "ModelReasoner", "Reply"]

LEVERS_TOKENS = 60
ACTION_TOKENS, MAX_KEYS_TOKENS = 25, 700


@dataclass(frozen=True)
class Reply:
    """What a model said; `complete` is False when the server gave up on it. Tokens as the server counts them."""

    text: str
    complete: bool
    prompt_tokens: int | None = None
    answer_tokens: int | None = None


class ChatServer(Protocol):
    """A server of one model."""

    @property
    def name(self) -> str:
        """Backend and model, such as `ollama/llama3.2:1b`."""
        ...

    def chat(self, prompt: Prompt, max_tokens: int, deadline: float) -> Reply:
        """Ask once; `deadline` is on `time.monotonic()`. Raises ModelTimeout or ModelUnreachable."""
        ...


class ModelReasoner:
    """Plans with a model; `timeout` in seconds covers look-ups for the prompt and the whole call with its retries."""

    slow = True

    def __init__(self, server: ChatServer, style: Literal["levers", "keys"], timeout: float, enrichment: Enrichment) -> None:
        self._server = server
        self._style = style
        self._timeout = timeout
        self._enrichment = enrichment

    @property
    def name(self) -> str:
        """Backend and model."""
        return self._server.name

    def decide(self, context: ContextSnapshot) -> Decision:
        """Ask the model; an answer that does not pass every check leaves the window unplanned, with the reason."""
        # What the prompt's look-ups take is taken from the model's time: a window waits for both.
        deadline = time.monotonic() + self._timeout
        prompt = self._prompt(context)
        started = time.monotonic()
        reply: Reply | None = None
        try:
            reply = self._server.chat(prompt, _max_tokens(context, prompt), deadline)
            model_s = time.monotonic() - started
            decision = _decided(reply, prompt, context)
        except ModelTimeout as error:
            model_s = time.monotonic() - started
            decision = unplanned("timeout", "timeout", f"{error} (timeoutSeconds: {self._timeout:g})")
        except ModelUnreachable as error:
            model_s = time.monotonic() - started
            decision = unplanned("unreachable", "unreachable", str(error))
        if reply is None:
            return replace(decision, model_s=model_s)
        return replace(
            decision,
            model_s=model_s,
            answer=reply.text,
            prompt_tokens=reply.prompt_tokens,
            answer_tokens=reply.answer_tokens,
        )

    def _prompt(self, context: ContextSnapshot) -> Prompt:
        if self._style == "keys":
            return keys_prompt(context)
        kin = alike(context, self._enrichment)
        return levers_prompt(context, similar=self._enrichment.has_neighbours, kin=kin)


def _decided(reply: Reply, prompt: Prompt, context: ContextSnapshot) -> Decision:
    if not reply.complete:
        return unplanned("invalid", "incomplete", "the server stopped before the answer was complete")
    try:
        if isinstance(prompt, LeversPrompt):
            return levers_decision(reply.text, prompt)
        assert isinstance(prompt, KeysPrompt)
        return keys_decision(reply.text, prompt, context.caps)
    except AnswerError as error:
        return unplanned("invalid", error.reason, f"{error.reason}: {error}"[:200])


def _max_tokens(context: ContextSnapshot, prompt: Prompt) -> int:
    if isinstance(prompt, LeversPrompt):
        return LEVERS_TOKENS
    return min(MAX_KEYS_TOKENS, 50 + ACTION_TOKENS * (context.caps.max_evict + context.caps.max_prefetch))
