"""Kubernetes' own schemas as a check of manifests: unknown fields, wrong types and missing fields, without an API server."""

from collections.abc import Mapping
from typing import Any

import kubernetes_validate

__all__ = ["KUBERNETES", "errors"]

KUBERNETES = "1.34"
"""Release whose schemas are meant."""

ELSEWHERE = {"monitoring.coreos.com", "keda.sh", "kopf.dev", "aura.dev"}
"""API groups of custom resources, which Kubernetes has no schemas of."""


def errors(manifest: Mapping[str, Any]) -> list[str]:
    """What is wrong with a manifest of a kind that Kubernetes brings, one line each; nothing is known of custom resources."""
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    if manifest["apiVersion"].partition("/")[0] in ELSEWHERE:
        return []
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{name}: {'.'.join(map(str, error.path))}: {error.message}"]
    return []
