"""What the executor did with a plan, and what it could not use."""

from typing import Literal

from aura_contract.base import CONTRACT_VERSION, MessageModel

__all__ = ["ActionCounts", "DeadLetter", "Receipt"]


class ActionCounts(MessageModel):
    """Numbers of evictions and prefetches."""

    evict: int = 0
    prefetch: int = 0


class Receipt(MessageModel):
    """One message of the applied topic.

    `requested` counts what the plan asked for, `applied` what passed the checks and was sent to Redis, `effective` what
    changed something there (a key that was evicted existed, a key that was prefetched did not). `refused` counts actions by
    reason; `reason` says why a whole plan was refused. `applied_at` is the arm's event clock in milliseconds (None on a
    plain Redis) and `latency_ms` the time from receiving the message, without the wait for `apply_at`.
    """

    version: int = CONTRACT_VERSION
    plan_id: str | None
    run: str | None
    arm: str | None
    window: int | None
    shard: int = 0
    planner: str | None
    outcome: Literal["applied", "refused"]
    reason: str | None = None
    requested: ActionCounts
    applied: ActionCounts = ActionCounts()
    effective: ActionCounts = ActionCounts()
    policy: bool = False
    clamped: int = 0
    refused: dict[str, int] = {}
    applied_at: int | None = None
    latency_ms: float


class DeadLetter(MessageModel):
    """One message of the dead-letter topic: a refused plan, the reason, and where it came from.

    `payload` is the message's text, cut to 4096 characters, with undecodable bytes replaced.
    """

    version: int = CONTRACT_VERSION
    reason: str
    detail: str
    plan_id: str | None
    topic: str
    partition: int
    offset: int
    payload: str
