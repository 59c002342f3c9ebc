"""The ServiceAccount of an experiment's pods: no rights, and no token to use them with."""

from aura_operator.blueprint import Blueprint, Manifest

__all__ = ["build"]


def build(blueprint: Blueprint) -> list[Manifest]:
    """The ServiceAccount NAME-pods."""
    account: Manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": blueprint.metadata("pods")}
    return [{**account, "automountServiceAccountToken": False}]
