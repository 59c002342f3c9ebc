"""Names of the Kafka topics and consumer groups."""

from dataclasses import dataclass

__all__ = ["EXECUTOR_GROUP", "PARTITIONS", "PLANNER_GROUP", "Topics", "executor_group", "message_key"]

PLANNER_GROUP = "aura-planner"
EXECUTOR_GROUP = "policy-executor-group"
PARTITIONS = 8
"""Of the topics whose readers may be several: twice the arms of one experiment, and as many planners can share the work."""


@dataclass(frozen=True)
class Topics:
    """The four topics of one experiment; on a shared broker each name begins with `prefix`."""

    prefix: str = ""

    @property
    def context(self) -> str:
        """Replayer to planner."""
        return f"{self.prefix}aura-context"

    @property
    def plan(self) -> str:
        """Planner to executor."""
        return f"{self.prefix}aura-plan"

    @property
    def applied(self) -> str:
        """Executor to replayer: receipts."""
        return f"{self.prefix}aura-applied"

    @property
    def dead_letters(self) -> str:
        """Executor to whoever looks: refused plans with the reason."""
        return f"{self.prefix}aura-plan-dlq"

    @property
    def partitions(self) -> dict[str, int]:
        """Partitions of each topic."""
        return {self.context: PARTITIONS, self.plan: PARTITIONS, self.applied: 1, self.dead_letters: 1}


def executor_group(arm: str, shard: int = 0) -> str:
    """Consumer group of the executors of one arm of one shard; the arm `aura` of shard 0 has the plain name."""
    group = EXECUTOR_GROUP if arm == "aura" else f"{EXECUTOR_GROUP}.{arm}"
    return f"{group}.{shard}" if shard else group


def message_key(experiment: str, arm: str, shard: int = 0) -> bytes:
    """Kafka key that keeps the plans of one arm of one shard in order."""
    return f"{experiment}/{arm}/{shard}".encode()
