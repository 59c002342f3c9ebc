"""All objects of an experiment, in the order in which they are brought up."""

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import (
    accounts,
    autoscaling,
    disruption,
    door,
    executor,
    kafka,
    loader,
    manifest,
    milvus,
    mongodb,
    monitoring,
    network,
    ollama,
    planner,
    redis,
    replayer,
    secrets,
)

__all__ = ["keepsakes", "loading", "servers", "workers"]

SERVERS = (
    accounts.build,
    secrets.build,
    manifest.build,
    network.build,
    redis.build,
    door.build,
    kafka.build,
    mongodb.build,
    milvus.build,
    ollama.build,
    replayer.results,
)
WORKERS = (
    planner.build,
    autoscaling.build,
    executor.build,
    replayer.progress,
    replayer.build,
    disruption.build,
    monitoring.build,
)
KEEPSAKES = (accounts.build, manifest.build, replayer.results, replayer.build)


def servers(blueprint: Blueprint) -> list[Manifest]:
    """What must be ready before anything else starts, and what is needed by all."""
    return [found for build in SERVERS for found in build(blueprint)]


def loading(blueprint: Blueprint) -> list[Manifest]:
    """The Job that must succeed before workers start; empty where there is nothing to load."""
    return loader.build(blueprint)


def workers(blueprint: Blueprint) -> list[Manifest]:
    """The run itself; the replayer's Job comes after those that answer it."""
    return [found for build in WORKERS for found in build(blueprint)]


def keepsakes(blueprint: Blueprint) -> list[Manifest]:
    """What stays of a finished experiment: its results, and the Job that tells how it ended. All else is removed."""
    return [found for build in KEEPSAKES for found in build(blueprint)]
