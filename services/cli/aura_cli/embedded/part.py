"""What the servers and services of a run belong to: an arm, of one shard where there are several."""

from dataclasses import dataclass

__all__ = ["Part"]


@dataclass(frozen=True)
class Part:
    """An arm of shard `shard` of `shards`."""

    arm: str
    shard: int = 0
    shards: int = 1

    @property
    def name(self) -> str:
        """Goes into names of logs and folders: the arm's name alone where there is one shard."""
        return self.arm if self.shards == 1 else f"{self.arm}-{self.shard}"

    @property
    def title(self) -> str:
        """What it is called in sentences."""
        return f"arm {self.arm}" if self.shards == 1 else f"arm {self.arm} of shard {self.shard}"
